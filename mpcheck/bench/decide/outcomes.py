"""Verdicts and counts as findings: the words and the figures that a reader sees."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from mpcheck._names import COST, LATENCY
from mpcheck._unsupported import Unsupported
from mpcheck.bench.cost.compare import compare_fingerprints
from mpcheck.bench.decide.decision import LatencyVerdict, Rule
from mpcheck.bench.figures import Fingerprint, Launch
from mpcheck.records.detail import Cost, Latency
from mpcheck.records.record import Record
from mpcheck.records.tensors import finite


@dataclass(frozen=True)
class Standing:
    """Whether this machine's verdicts count.

    Attributes:
        may_gate: False where its measured rate of false alarms exceeds the nominal one.
        reason: what is known of it, in a line.
    """

    may_gate: bool = True
    reason: str = ""


def _percent(value: float) -> str:
    return f"{100 * value:+.1f} %"


def _share(value: float) -> str:
    return f"{100 * value:.3g} %"


def wording(verdict: LatencyVerdict, rule: Rule) -> str:
    """A verdict in a line: effect, interval, what could have been seen."""
    text = {
        "slower": "slower by more than the margin",
        "faster": "faster by more than the margin",
        "same": f"no change larger than {_share(verdict.equivalence)}",
        "inconclusive": "cannot tell",
    }[verdict.decision]
    tail = f"margin {_share(verdict.margin)}, detectable {_percent(verdict.detectable)}, {verdict.launches} launches"
    if verdict.decision == "inconclusive":
        tail += (
            f", about {verdict.needed} would tell"
            if verdict.needed
            else ", more launches would not tell: the baseline needs more, or the machine is too noisy"
        )
    interval = f"[{_percent(verdict.low)}, {_percent(verdict.high)}]"
    return f"{text}: {_percent(verdict.effect)} {interval} at {100 * (1 - rule.alpha):g} % a side; {tail}"


def latency_finding(
    fields: Mapping[str, Any], verdict: LatencyVerdict, rule: Rule, standing: Standing, metrics: Mapping[str, Any], check: str = LATENCY
) -> Record:
    """A verdict as a finding."""
    reason = wording(verdict, rule)
    outcome: Any = {"slower": "fail", "inconclusive": "inconclusive"}.get(verdict.decision, "pass")
    if outcome == "fail" and not standing.may_gate:
        outcome, reason = "inconclusive", f"{reason}; this machine may not gate: {standing.reason}"
    figures: dict[str, Any] = {
        "decision": verdict.decision,
        "effect_percent": finite(100 * verdict.effect),
        "low_percent": finite(100 * verdict.low),
        "high_percent": finite(100 * verdict.high),
        "detectable_percent": finite(100 * verdict.detectable),
        "p_corrected": finite(verdict.p),
        "launches": verdict.launches,
        "launches_needed": verdict.needed,
    }
    return Record(
        check=check,
        **fields,
        verdict=outcome,
        reason=reason if verdict.decision != "same" else "",
        ratio=finite(1 + verdict.effect),
        limit=1 + verdict.margin,
        detail=Latency(**figures, **metrics),
    )


def cost_finding(fields: Mapping[str, Any], base: Fingerprint | None, head: Fingerprint | None, why: Unsupported | None = None) -> Record:
    """What a call costs against what it cost, counted.

    Args:
        why: the head's is not counted, where it is not; what it raised is a failure.
    """
    if head is None:
        broken = why is not None and why.code == "raised"
        return Record(check=COST, **fields, verdict="fail" if broken else "unsupported", reason=str(why or "not counted"))
    cost = Cost(
        operations=sum(head.operations.values()),
        launches=head.launches,
        multiply_adds=head.multiply_adds,
        bytes_moved=head.bytes_moved,
        casts=sum(head.casts.values()),
        peak_bytes=head.peak_bytes,
        graph_breaks=head.graph_breaks,
        syncs=sum(head.syncs.values()),
        round_trips=None if head.round_trips is None else sum(head.round_trips.values()),
    )
    if base is None:
        return Record(check=COST, **fields, verdict="no-baseline", reason="no cost is stored for it", detail=cost)
    change = compare_fingerprints(base, head)
    ratio = finite(head.bytes_moved / base.bytes_moved) if base.bytes_moved else None
    reason = "; ".join(change.worse) or "; ".join(change.better)
    return Record(check=COST, **fields, verdict="fail" if change.worse else "pass", reason=reason, ratio=ratio, limit=1.0, detail=cost)


def absolute(launches: Sequence[Launch]) -> dict[str, Any]:
    """BenchFigures in seconds: what a reader wants to know beside the verdict."""
    medians = [launch.seconds for launch in launches]
    figures: dict[str, Any] = {
        "median_ms": finite(1e3 * float(np.median(medians))),
        "spread_percent": finite(100 * float(np.std(np.log(medians), ddof=1))) if len(medians) > 1 else None,
        "first_call_ms": finite(1e3 * float(np.median([launch.first_call for launch in launches]))),
        "rounds": sum(launch.rounds for launch in launches),
        "waiting_percent": finite(100 * float(np.median([launch.waiting for launch in launches]))),
    }
    device = [launch.device_seconds for launch in launches if launch.device_seconds is not None]
    joules = [launch.joules for launch in launches if launch.joules is not None]
    if device:
        figures["device_ms"] = finite(1e3 * float(np.median(device)))
    if joules:
        figures["joules"] = finite(float(np.median(joules)))
    return figures


def device_metrics(told: Mapping[str, Any]) -> dict[str, Any]:
    """What a GPU told of a benchmark (:class:`mpcheck.bench.gpu.figures.DeviceFigures` as data), as a finding's metrics."""
    if not told:
        return {}

    def milliseconds(seconds: Any) -> Any:
        return finite(1e3 * seconds) if seconds is not None else None

    kernels, agrees, conditions = (told.get(name) or {} for name in ("kernels", "agrees", "conditions"))
    figures = {
        "event_ms": milliseconds(told["event_seconds"]),
        "cold_ms": milliseconds(told["cold_seconds"]),
        "graph_ms": milliseconds(told["graph_seconds"]),
        "graph_reason": told["graph_reason"],
        "kernels_ms": milliseconds(kernels.get("seconds")),
        "kernels": kernels.get("count"),
        "launch_share": told["launch_share"],
        "agreement": agrees.get("reason", told["kernels_reason"]),
        "joules_reason": told["joules_reason"],
        "sm_mhz_median": conditions.get("sm_mhz_median"),
        "sm_mhz_max": conditions.get("sm_mhz_max"),
        "throttled_share": conditions.get("throttled"),
        "throttle_reasons": list(conditions.get("reasons", ())),
        "watts_median": conditions.get("watts_median"),
        "conditions_reason": told["conditions_reason"],
    }
    return {name: value for name, value in figures.items() if value not in (None, "", [])}
