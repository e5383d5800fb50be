"""From launches to findings: latency against a stored baseline or against the other side of a pair, and cost, which is exact."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np

from mpcheck._names import LATENCY
from mpcheck._unsupported import Unsupported
from mpcheck.bench.decide.decision import LatencyVerdict, LaunchSample, Rule, judge, paired_sample, unpaired_sample
from mpcheck.bench.decide.outcomes import Standing, absolute, cost_finding, device_metrics, latency_finding
from mpcheck.bench.decide.units import crowding, undisturbed, yardstick_of
from mpcheck.bench.figures import BenchFigures, Fingerprint, Launch
from mpcheck.bench.keys import BenchKey, fields_of, parse_id
from mpcheck.bench.launch.measurement import Measurement
from mpcheck.bench.launch.paired import PairedMeasurement
from mpcheck.records.detail import Latency
from mpcheck.records.record import Record
from mpcheck.records.tensors import finite
from mpcheck.records.verdicts import Verdict as Outcome

_NARROWS = ("system", "batch", "backend", "format", "variant")
STORED = Rule(margin=0.03, equivalence=0.05, between_occasion_sd=0.008)
"""Against a stored baseline. The deviation between occasions is an assumption, which 321 comparisons of identical code without a false
alarm, within 18 minutes, did not contradict (``benchmarks/gate_power.py report`` estimates it from the same launches: 0.95 %, of 7 groups
of 8). What days do to a machine nobody has measured."""
PAIRED = Rule(margin=0.02, equivalence=0.03)
"""Base against head in the same minutes."""


def stored_sample(base: Sequence[Launch], head: Sequence[Launch]) -> tuple[LaunchSample, str] | None:
    """Stored launches against new ones, in units of a yardstick; None where there are too few, or the yardstick is another."""
    base, head = undisturbed(base), undisturbed(head)
    if min(len(base), len(head)) < 2:
        return None
    name = yardstick_of(base)
    if any(name not in launch.normalised for launch in head):
        return None

    def logs(launches: Sequence[Launch]) -> list[float]:
        return [math.log(launch.normalised[name]) for launch in launches]

    return unpaired_sample(logs(base), logs(head)), name


def stored_verdicts(figures: Mapping[str, BenchFigures], base: Mapping[str, BenchFigures], rule: Rule) -> dict[str, tuple[LatencyVerdict, str]]:
    """Verdict and yardstick of every benchmark that both have."""
    samples = {n: s for n, f in figures.items() if n in base and (s := stored_sample(base[n].launches, f.launches)) is not None}
    verdicts = judge({n: s for n, (s, _) in samples.items()}, rule)
    return {n: (v, samples[n][1]) for n, v in verdicts.items()}


def paired_verdicts(measured: PairedMeasurement, rule: Rule) -> dict[str, LatencyVerdict]:
    """Verdict of every benchmark that both sides have run at least twice."""
    return judge({n: paired_sample(d) for n, d in measured.differences.items() if len(d) >= 2}, rule)


def unclear(verdicts: Mapping[str, LatencyVerdict]) -> list[str]:
    """Benchmarks that more launches might decide."""
    return [n for n, v in verdicts.items() if v.decision == "inconclusive" and v.needed is not None]


def stored_findings(
    keys: Sequence[BenchKey], measured: Measurement, base: Mapping[str, BenchFigures] | None, missing: str, rule: Rule, standing: Standing
) -> dict[str, list[Record]]:
    """Findings of every benchmark against stored figures.

    Args:
        base: stored figures; None where there are none that may be compared, for the reason ``missing``.
    """
    figures = measured.figures
    verdicts = stored_verdicts(figures, base or {}, rule)
    records: dict[str, list[Record]] = {}
    for key in keys:
        fields = fields_of(key)
        if key.id not in figures:
            records[key.id] = [_refused(fields, measured.unsupported.get(key.id, Unsupported("not-applicable", "not measured")))]
            continue
        metrics = absolute(figures[key.id].launches) | device_metrics(measured.device.get(key.id, {}))
        if key.id in verdicts:
            verdict, yardstick = verdicts[key.id]
            assert base is not None  # there would be no verdict
            metrics |= {
                "yardstick": yardstick,
                "base_median_ms": absolute(base[key.id].launches)["median_ms"],
                "base_launches": len(base[key.id].launches),
            }
            crowd = crowding(figures[key.id].launches)
            latency = latency_finding(fields, verdict, rule, Standing(False, crowd) if crowd else standing, metrics)
        else:
            reason = missing if base is None else no_verdict(base.get(key.id), figures[key.id])
            latency = Record(
                check=LATENCY, **fields, verdict="no-baseline", reason=reason, detail=Latency(**metrics, launches=len(figures[key.id].launches))
            )
        records[key.id] = [latency]
        stored = base[key.id].fingerprint if base is not None and key.id in base else None
        records[key.id].append(cost_finding(fields, stored, figures[key.id].fingerprint, measured.uncounted.get(key.id)))
    return records


def _refused(fields: Mapping[str, Any], why: Unsupported, side: str = "") -> Record:
    """A benchmark that cannot run: a failure where the head raised, and degraded where something
    else than was asked for would have been measured.
    """
    verdict: Outcome = "degraded" if why.code == "substituted" else "fail" if why.code == "raised" and side in ("", "head", "both") else "unsupported"
    return Record(check=LATENCY, **fields, verdict=verdict, reason=f"{side}: {why}" if side else str(why), lacking=why.lacking)


def no_verdict(base: BenchFigures | None, head: BenchFigures) -> str:
    """Why a benchmark has none though there is a baseline."""
    if base is None:
        return "new: nothing stored for it"
    if len(base.launches) < 2:
        return "its stored figures are of a single launch, which says nothing of how launches vary: store more"
    if len(head.launches) < 2:
        return "measured in a single launch"
    return f"its stored figures are in units of {yardstick_of(base.launches)!r}, which is not read here"


def gone(base: Mapping[str, BenchFigures], keys: Sequence[BenchKey], selected: bool) -> list[Record]:
    """Stored benchmarks of this run's systems, batches, backends, formats and work that the model no longer has.

    Args:
        selected: whether the user chose among the blocks: then nobody can tell.
    """
    if selected:
        return []
    now = {key.id for key in keys}
    measured = {tuple(fields_of(key)[n] for n in _NARROWS) for key in keys}
    lost = [parse_id(name) for name in base if name not in now]
    reason = "stored, but the model no longer has it"
    return [Record(check=LATENCY, **f, verdict="removed", reason=reason) for f in lost if tuple(f.get(n) for n in _NARROWS) in measured]


def _counted(measured: PairedMeasurement, name: str) -> tuple[Fingerprint | None, Fingerprint | None, Unsupported | None]:
    if name in measured.uncounted:
        side, why = measured.uncounted[name]
        return None, None, Unsupported(why.code, f"{side}: {why}", why.lacking)
    return measured.fingerprints["base"][name], measured.fingerprints["head"][name], None


def paired_findings(measured: PairedMeasurement, rule: Rule, standing: Standing) -> dict[str, list[Record]]:
    """Findings of every benchmark, base against head; new and removed ones too."""
    verdicts = paired_verdicts(measured, rule)
    records: dict[str, list[Record]] = {}
    for name in measured.keys["head"]:
        fields = parse_id(name)
        if name not in measured.keys["base"]:
            records[name] = [Record(check=LATENCY, **fields, verdict="no-baseline", reason="new: the base does not have it")]
        elif name in measured.unsupported:
            side, why = measured.unsupported[name]
            records[name] = [_refused(fields, why, side)]
        elif name in verdicts:
            seconds = {side: float(np.median(measured.seconds[side][name])) for side in ("base", "head")}
            metrics: dict[str, Any] = {"median_ms": finite(1e3 * seconds["head"]), "base_median_ms": finite(1e3 * seconds["base"])}
            records[name] = [latency_finding(fields, verdicts[name], rule, standing, metrics), cost_finding(fields, *_counted(measured, name))]
    removed = [n for n in measured.keys["base"] if n not in measured.keys["head"]]
    records.update({n: [Record(check=LATENCY, **parse_id(n), verdict="removed", reason="the head no longer has it")] for n in removed})
    return records
