"""What a profile session records: maps, latencies and sweep points as findings."""

from __future__ import annotations

import numpy as np

from mpcheck._names import LATENCY, PROFILE, REFERENCE_BACKEND, SWEEP
from mpcheck._unsupported import Unsupported
from mpcheck.bench.keys import BenchKey, fields_of
from mpcheck.bench.profile.alternate import speedup
from mpcheck.bench.profile.attribution import UNATTRIBUTED
from mpcheck.bench.profile.map import MapRow, ProfileMap
from mpcheck.bench.profile.sweep import SYSTEM, WORK, SweepPoint
from mpcheck.records.detail import Latency, Profile, Sweep
from mpcheck.records.record import Record
from mpcheck.records.verdicts import Verdict


def _ms(seconds: float) -> float:
    return round(seconds * 1e3, 6)


def row_detail(row: MapRow) -> Profile:
    """A row's figures, units in their names; times and launches per call of the model."""
    return Profile(
        parent=row.parent, group=row.group, depth=row.depth, calls=row.calls, dtype=", ".join(row.dtypes),
        host_ms=_ms(row.forward.host), device_ms=_ms(row.forward.device), waiting_ms=_ms(row.forward.waiting),
        launches=round(row.forward.launches, 3),
        backward_host_ms=_ms(row.backward.host), backward_device_ms=_ms(row.backward.device),
        backward_waiting_ms=_ms(row.backward.waiting), backward_launches=round(row.backward.launches, 3),
        total_host_ms=_ms(row.total.host), total_device_ms=_ms(row.total.device), total_launches=round(row.total.launches, 3),
        share=round(row.share, 6), bound=row.bound,
    )  # fmt: skip


def map_findings(profile: ProfileMap) -> list[Record]:
    """One finding a block. The model's own tells of the whole run, too."""
    records = []
    for row in profile.rows:
        detail = row_detail(row)
        if not row.parent and row.block != UNATTRIBUTED:
            whole = {
                "end_to_end_ms": _ms(profile.end_to_end), "unprofiled_ms": _ms(profile.unprofiled), "profiling_factor": round(profile.overhead, 4),
                "kept_calls": float(profile.calls), "made_calls": float(profile.of),
            }  # fmt: skip
            detail = detail.model_copy(update=whole)
        about = {**fields_of(profile.key), "subject": row.block}
        records.append(Record(check=PROFILE, **about, verdict="pass", detail=detail))
    return records


def unsupported_finding(key: BenchKey, why: Unsupported) -> Record:
    """A workload that cannot run here; red where it should have run and raised."""
    verdict: Verdict = "degraded" if why.code == "substituted" else "fail" if why.code == "raised" else "unsupported"
    return Record(check=PROFILE, **fields_of(key), verdict=verdict, reason=why.text, lacking=why.lacking)


def latency_findings(key: BenchKey, samples: dict[str, list[float]]) -> list[Record]:
    """One finding a backend: the distribution of its calls, which took turns with the other backends'."""
    records = []
    for backend, seconds in samples.items():
        quantiles = {f"q{int(100 * q):02d}_ms": _ms(float(np.quantile(seconds, q))) for q in (0.05, 0.25, 0.5, 0.75, 0.95)}
        about = {**fields_of(key), "backend": backend}
        records.append(Record(check=LATENCY, **about, verdict="pass", detail=Latency.model_validate({**quantiles, "rounds": len(seconds)})))
    return records


def sweep_findings(points: list[SweepPoint], backends: tuple[str, ...], fmt: str, seed: int = 0) -> list[Record]:
    """One finding a point and backend; the speed-up against e3nn is with the other backends' figures."""
    records = []
    for point in points:
        for backend in backends:
            subject, base = f"l_max={point.l_max} batch={point.batch}", {"check": SWEEP, "backend": backend, "format": fmt, "system": SYSTEM}
            seconds = point.seconds.get(backend)
            if not seconds:
                reason = point.reasons.get(backend) or point.reasons.get("*", "not measured")
                records.append(Record.model_validate({**base, "subject": subject, "variant": WORK, "verdict": "unsupported", "reason": reason}))
                continue
            ordered = sorted(seconds)
            figures: dict[str, float] = {
                "l_max": point.l_max, "batch": point.batch, "atoms": point.atoms, "edges": point.edges, "rounds": len(seconds),
                "median_ms": _ms(point.median(backend)), "q25_ms": _ms(ordered[len(ordered) // 4]), "q75_ms": _ms(ordered[(3 * len(ordered)) // 4]),
            }  # fmt: skip
            if backend != REFERENCE_BACKEND and REFERENCE_BACKEND in point.seconds:
                gain = speedup(point.seconds[REFERENCE_BACKEND], seconds, seed)
                figures |= {"speedup": round(gain.ratio, 4), "speedup_low": round(gain.low, 4), "speedup_high": round(gain.high, 4)}
            records.append(
                Record.model_validate({**base, "subject": subject, "variant": WORK, "verdict": "pass", "detail": Sweep.model_validate(figures)})
            )
    return records
