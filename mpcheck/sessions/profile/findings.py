"""What a profile session records: maps, latencies and sweep points as findings."""

from __future__ import annotations

import numpy as np

from mpcheck._unsupported import Unsupported
from mpcheck.bench.keys import BenchKey
from mpcheck.bench.profile.alternate import speedup
from mpcheck.bench.profile.attribution import UNATTRIBUTED
from mpcheck.bench.profile.map import MapRow, ProfileMap
from mpcheck.bench.profile.sweep import SYSTEM, WORK, SweepPoint
from mpcheck.records.finding import Finding, Outcome
from mpcheck.records.names import REFERENCE_BACKEND
from mpcheck.records.record import Number

PROFILE, LATENCY, SWEEP = "profile", "latency", "sweep"
Metrics = dict[str, Number | str | bool | list[str]]


def _ms(seconds: float) -> float:
    return round(seconds * 1e3, 6)


def _where(key: BenchKey) -> str:
    return f"{key.system}*{key.batch}"


def row_metrics(row: MapRow) -> Metrics:
    """A row's figures, units in their names; times and launches per call of the model."""
    return {
        "parent": row.parent, "group": row.group, "depth": row.depth, "calls": row.calls, "dtype": ", ".join(row.dtypes),
        "host_ms": _ms(row.forward.host), "device_ms": _ms(row.forward.device), "waiting_ms": _ms(row.forward.waiting),
        "launches": round(row.forward.launches, 3),
        "backward_host_ms": _ms(row.backward.host), "backward_device_ms": _ms(row.backward.device),
        "backward_waiting_ms": _ms(row.backward.waiting), "backward_launches": round(row.backward.launches, 3),
        "total_host_ms": _ms(row.total.host), "total_device_ms": _ms(row.total.device), "total_launches": round(row.total.launches, 3),
        "share": round(row.share, 6), "bound": row.bound,
    }  # fmt: skip


def map_findings(profile: ProfileMap) -> list[Finding]:
    """One finding a block. The model's own tells of the whole run, too."""
    found = []
    for row in profile.rows:
        metrics = row_metrics(row)
        if not row.parent and row.block != UNATTRIBUTED:
            metrics |= {
                "end_to_end_ms": _ms(profile.end_to_end), "unprofiled_ms": _ms(profile.unprofiled), "profiling_factor": round(profile.overhead, 4),
                "kept_calls": profile.calls, "made_calls": profile.of,
            }  # fmt: skip
        key = profile.key
        found.append(
            Finding(
                check=PROFILE, subject=row.block, backend=key.backend, format=key.format, system=_where(key), variant=key.work, verdict="pass",
                metrics=metrics,
            )
        )  # fmt: skip
    return found


def unsupported_finding(key: BenchKey, why: Unsupported) -> Finding:
    """A workload that cannot run here; red where it should have run and raised."""
    verdict: Outcome = "degraded" if why.code == "substituted" else "fail" if why.code == "raised" else "unsupported"
    return Finding(
        check=PROFILE, subject=key.subject, backend=key.backend, format=key.format, system=_where(key), variant=key.work, verdict=verdict,
        reason=why.text, lacking=why.lacking,
    )  # fmt: skip


def latency_findings(key: BenchKey, samples: dict[str, list[float]]) -> list[Finding]:
    """One finding a backend: the distribution of its calls, which took turns with the other backends'."""
    found = []
    for backend, seconds in samples.items():
        metrics: Metrics = {f"q{int(100 * q):02d}_ms": _ms(float(np.quantile(seconds, q))) for q in (0.05, 0.25, 0.5, 0.75, 0.95)}
        found.append(
            Finding(
                check=LATENCY, subject=key.subject, backend=backend, format=key.format, system=_where(key), variant=key.work, verdict="pass",
                metrics={**metrics, "rounds": len(seconds)},
            )
        )  # fmt: skip
    return found


def sweep_findings(points: list[SweepPoint], backends: tuple[str, ...], fmt: str, seed: int = 0) -> list[Finding]:
    """One finding a point and backend; the speed-up against e3nn is with the other backends' figures."""
    found = []
    for point in points:
        for backend in backends:
            subject, base = f"l_max={point.l_max} batch={point.batch}", {"check": SWEEP, "backend": backend, "format": fmt, "system": SYSTEM}
            seconds = point.seconds.get(backend)
            if not seconds:
                reason = point.reasons.get(backend) or point.reasons.get("*", "not measured")
                found.append(Finding.model_validate({**base, "subject": subject, "variant": WORK, "verdict": "unsupported", "reason": reason}))
                continue
            ordered = sorted(seconds)
            metrics: Metrics = {
                "l_max": point.l_max, "batch": point.batch, "atoms": point.atoms, "edges": point.edges, "rounds": len(seconds),
                "median_ms": _ms(point.median(backend)), "q25_ms": _ms(ordered[len(ordered) // 4]), "q75_ms": _ms(ordered[(3 * len(ordered)) // 4]),
            }  # fmt: skip
            if backend != REFERENCE_BACKEND and REFERENCE_BACKEND in point.seconds:
                gain = speedup(point.seconds[REFERENCE_BACKEND], seconds, seed)
                metrics |= {"speedup": round(gain.ratio, 4), "speedup_low": round(gain.low, 4), "speedup_high": round(gain.high, 4)}
            found.append(Finding.model_validate({**base, "subject": subject, "variant": WORK, "verdict": "pass", "metrics": metrics}))
    return found
