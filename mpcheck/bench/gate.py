"""From launches to findings: latency against a stored baseline or against the other side of a duel, and cost, which is exact."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from mpcheck.bench.campaign import Campaign
from mpcheck.bench.cost.compare import compare_fingerprints
from mpcheck.bench.decision import Rule, Sample, Verdict, judge, paired, unpaired
from mpcheck.bench.duel import Duel
from mpcheck.bench.figures import CROWDED, Figures, Fingerprint, Launch
from mpcheck.bench.keys import BenchKey
from mpcheck.findings import Finding
from mpcheck.records import finite

LATENCY, COST = "latency", "cost"
_NARROWS = ("system", "backend", "format", "variant")
CHOOSING = 6  # launches of a baseline from which the kernel that varies least with a benchmark can be told from chance
USUAL = "all"  # yardstick of a baseline with fewer launches
STORED = Rule(margin=0.03, equivalence=0.05, wander=0.008)
"""Against a stored baseline. The wander was measured: see docs/bench.md."""
DUEL = Rule(margin=0.02, equivalence=0.03)
"""Base against head in the same minutes."""


@dataclass(frozen=True)
class Standing:
    """Whether this machine's verdicts count.

    Attributes:
        may_gate: False where its measured rate of false alarms exceeds the nominal one.
        reason: what is known of it, in a line.
    """

    may_gate: bool = True
    reason: str = ""


def yardstick_of(launches: Sequence[Launch]) -> str:
    """The kernel in whose units a benchmark's launches vary least; their mean where there are too few to tell."""
    names = [n for n in launches[0].normalised if all(n in launch.normalised for launch in launches)]
    if len(launches) < CHOOSING:
        return USUAL
    spread = {n: float(np.var([math.log(launch.normalised[n]) for launch in launches])) for n in names}
    return min(spread, key=lambda n: (spread[n], n))


def calm(launches: Sequence[Launch]) -> Sequence[Launch]:
    """Launches that had their processor for themselves; all of them where fewer than two had."""
    own = [launch for launch in launches if launch.waiting <= CROWDED]
    return own if len(own) >= 2 else launches


def crowding(launches: Sequence[Launch]) -> str:
    """Why launches cannot be compared with stored ones, in a line; empty where they can."""
    shares = [launch.waiting for launch in calm(launches)]
    if not shares or max(shares) <= CROWDED:
        return ""
    return f"others ran on the same processor {100 * max(shares):.0f} % of the time; wait for a quieter one, or compare with --against"


def stored_sample(base: Sequence[Launch], head: Sequence[Launch]) -> tuple[Sample, str] | None:
    """Stored launches against new ones, in units of a yardstick; None where there are too few, or the yardstick is another."""
    base, head = calm(base), calm(head)
    if min(len(base), len(head)) < 2:
        return None
    name = yardstick_of(base)
    if any(name not in launch.normalised for launch in head):
        return None

    def logs(launches: Sequence[Launch]) -> list[float]:
        return [math.log(launch.normalised[name]) for launch in launches]

    return unpaired(logs(base), logs(head)), name


def stored_verdicts(figures: Mapping[str, Figures], base: Mapping[str, Figures], rule: Rule) -> dict[str, tuple[Verdict, str]]:
    """Verdict and yardstick of every benchmark that both have."""
    samples = {n: s for n, f in figures.items() if n in base and (s := stored_sample(base[n].launches, f.launches)) is not None}
    verdicts = judge({n: s for n, (s, _) in samples.items()}, rule)
    return {n: (v, samples[n][1]) for n, v in verdicts.items()}


def duel_verdicts(duel: Duel, rule: Rule) -> dict[str, Verdict]:
    """Verdict of every benchmark that both sides have run at least twice."""
    return judge({n: paired(d) for n, d in duel.differences.items() if len(d) >= 2}, rule)


def unclear(verdicts: Mapping[str, Verdict]) -> list[str]:
    """Benchmarks that more launches might decide."""
    return [n for n, v in verdicts.items() if v.decision == "inconclusive" and v.needed is not None]


def parse_id(name: str) -> dict[str, Any]:
    """The fields of a finding about a benchmark."""
    where, _, rest = name.rpartition("/")
    head, fmt, work = rest.rsplit("-", 2) if rest.count("-") >= 3 else (rest, "", "")
    subject, _, backend = head.partition("-")  # a backend's name may have one, a block's has none
    return {"system": where, "subject": subject, "backend": backend, "format": fmt, "variant": work}


def fields_of(key: BenchKey) -> dict[str, Any]:
    """The fields of a finding about a benchmark."""
    return {"system": f"{key.system}*{key.batch}", "subject": key.subject, "backend": key.backend, "format": key.format, "variant": key.work}


def _percent(value: float) -> str:
    return f"{100 * value:+.1f} %"


def wording(verdict: Verdict, rule: Rule) -> str:
    """A verdict in a line: effect, interval, what could have been seen."""
    text = {
        "slower": "slower by more than the margin",
        "faster": "faster by more than the margin",
        "same": f"no change larger than {100 * rule.equivalence:g} %",
        "inconclusive": "cannot tell",
    }[verdict.decision]
    tail = f"margin {100 * rule.margin:g} %, detectable {_percent(verdict.detectable)}, {verdict.launches} launches"
    if verdict.decision == "inconclusive":
        tail += (
            f", about {verdict.needed} would tell"
            if verdict.needed
            else ", more launches would not tell: the baseline needs more, or the machine is too noisy"
        )
    interval = f"[{_percent(verdict.low)}, {_percent(verdict.high)}]"
    return f"{text}: {_percent(verdict.effect)} {interval} at {100 * (1 - rule.alpha):g} % a side; {tail}"


def latency_finding(fields: Mapping[str, Any], verdict: Verdict, rule: Rule, standing: Standing, metrics: Mapping[str, Any]) -> Finding:
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
    return Finding(
        check=LATENCY,
        **fields,
        verdict=outcome,
        reason=reason if verdict.decision != "same" else "",
        ratio=finite(1 + verdict.effect),
        limit=1 + rule.margin,
        metrics={**figures, **metrics},
    )


def cost_finding(fields: Mapping[str, Any], base: Fingerprint | None, head: Fingerprint | None, reason: str = "") -> Finding:
    """What a call costs against what it cost, counted.

    Args:
        reason: why the head's is not counted, where it is not.
    """
    if head is None:
        return Finding(check=COST, **fields, verdict="unsupported", reason=reason or "not counted")
    metrics: dict[str, Any] = {
        "operations": sum(head.operations.values()),
        "launches": head.launches,
        "multiply_adds": head.multiply_adds,
        "bytes_moved": head.bytes_moved,
        "casts": sum(head.casts.values()),
        "peak_bytes": head.peak_bytes,
        "graph_breaks": head.graph_breaks,
        "syncs": sum(head.syncs.values()),
    }
    if base is None:
        return Finding(check=COST, **fields, verdict="no-baseline", reason="no cost is stored for it", metrics=metrics)
    change = compare_fingerprints(base, head)
    ratio = finite(head.bytes_moved / base.bytes_moved) if base.bytes_moved else None
    reason = "; ".join(change.worse) or "; ".join(change.better)
    return Finding(check=COST, **fields, verdict="fail" if change.worse else "pass", reason=reason, ratio=ratio, limit=1.0, metrics=metrics)


def absolute(launches: Sequence[Launch]) -> dict[str, Any]:
    """Figures in seconds: what a reader wants to know beside the verdict."""
    medians = [launch.seconds for launch in launches]
    found: dict[str, Any] = {
        "median_ms": finite(1e3 * float(np.median(medians))),
        "spread_percent": finite(100 * float(np.std(np.log(medians), ddof=1))) if len(medians) > 1 else None,
        "first_call_ms": finite(1e3 * float(np.median([launch.first_call for launch in launches]))),
        "rounds": sum(launch.rounds for launch in launches),
        "waiting_percent": finite(100 * float(np.median([launch.waiting for launch in launches]))),
    }
    device = [launch.device_seconds for launch in launches if launch.device_seconds is not None]
    joules = [launch.joules for launch in launches if launch.joules is not None]
    if device:
        found["device_ms"] = finite(1e3 * float(np.median(device)))
    if joules:
        found["joules"] = finite(float(np.median(joules)))
    return found


def device_metrics(told: Mapping[str, Any]) -> dict[str, Any]:
    """What a GPU told of a benchmark (:class:`mpcheck.bench.gpu.figures.DeviceFigures` as data), as a finding's metrics."""
    if not told:
        return {}

    def milliseconds(seconds: Any) -> Any:
        return finite(1e3 * seconds) if seconds is not None else None

    kernels, agrees, conditions = (told.get(name) or {} for name in ("kernels", "agrees", "conditions"))
    found = {
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
    return {name: value for name, value in found.items() if value not in (None, "", [])}


def stored_findings(
    keys: Sequence[BenchKey], campaign: Campaign, base: Mapping[str, Figures] | None, missing: str, rule: Rule, standing: Standing
) -> dict[str, list[Finding]]:
    """Findings of every benchmark against stored figures.

    Args:
        base: stored figures; None where there are none that may be compared, for the reason ``missing``.
    """
    figures = campaign.figures
    verdicts = stored_verdicts(figures, base or {}, rule)
    found: dict[str, list[Finding]] = {}
    for key in keys:
        fields = fields_of(key)
        if key.id not in figures:
            reason = campaign.unsupported.get(key.id, "not measured")
            found[key.id] = [Finding(check=LATENCY, **fields, verdict="fail" if reason.startswith("raised ") else "unsupported", reason=reason)]
            continue
        metrics = absolute(figures[key.id].launches) | device_metrics(campaign.device.get(key.id, {}))
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
            latency = Finding(
                check=LATENCY, **fields, verdict="no-baseline", reason=reason, metrics={**metrics, "launches": len(figures[key.id].launches)}
            )
        found[key.id] = [latency]
        stored = base[key.id].fingerprint if base is not None and key.id in base else None
        found[key.id].append(cost_finding(fields, stored, figures[key.id].fingerprint, campaign.uncounted.get(key.id, "")))
    return found


def no_verdict(base: Figures | None, head: Figures) -> str:
    """Why a benchmark has none though there is a baseline."""
    if base is None:
        return "new: nothing stored for it"
    if len(base.launches) < 2:
        return "its stored figures are of a single launch, which says nothing of how launches vary: store more"
    if len(head.launches) < 2:
        return "measured in a single launch"
    return f"its stored figures are in units of {yardstick_of(base.launches)!r}, which is not read here"


def gone(base: Mapping[str, Figures], keys: Sequence[BenchKey], selected: bool) -> list[Finding]:
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
    return [Finding(check=LATENCY, **f, verdict="removed", reason=reason) for f in lost if tuple(f[n] for n in _NARROWS) in measured]


def _counted(duel: Duel, name: str) -> tuple[Fingerprint | None, Fingerprint | None, str]:
    if name in duel.uncounted:
        return None, None, ": ".join(duel.uncounted[name])
    return duel.fingerprints["base"][name], duel.fingerprints["head"][name], ""


def duel_findings(duel: Duel, rule: Rule, standing: Standing) -> dict[str, list[Finding]]:
    """Findings of every benchmark, base against head; new and removed ones too."""
    verdicts = duel_verdicts(duel, rule)
    found: dict[str, list[Finding]] = {}
    for name in duel.keys["head"]:
        fields = parse_id(name)
        if name not in duel.keys["base"]:
            found[name] = [Finding(check=LATENCY, **fields, verdict="no-baseline", reason="new: the base does not have it")]
        elif name in duel.unsupported:
            side, reason = duel.unsupported[name]
            broken = side == "head" and reason.startswith("raised ")
            found[name] = [Finding(check=LATENCY, **fields, verdict="fail" if broken else "unsupported", reason=f"{side}: {reason}")]
        elif name in verdicts:
            seconds = {side: float(np.median(duel.seconds[side][name])) for side in ("base", "head")}
            metrics: dict[str, Any] = {"median_ms": finite(1e3 * seconds["head"]), "base_median_ms": finite(1e3 * seconds["base"])}
            found[name] = [
                latency_finding(fields, verdicts[name], rule, standing, metrics),
                cost_finding(fields, *_counted(duel, name)),
            ]
    removed = [n for n in duel.keys["base"] if n not in duel.keys["head"]]
    found.update({n: [Finding(check=LATENCY, **parse_id(n), verdict="removed", reason="the head no longer has it")] for n in removed})
    return found
