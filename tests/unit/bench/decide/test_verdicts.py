"""From launches to verdicts, against stored figures and base against head."""

from __future__ import annotations

import math
from dataclasses import replace
from typing import Any

import pytest

from mpcheck._unsupported import Unsupported, no_device
from mpcheck.bench.decide.decision import Rule, judge, paired_sample
from mpcheck.bench.decide.verdicts import PAIRED, STORED, gone, paired_findings, stored_findings, unclear
from mpcheck.bench.figures import BenchFigures
from mpcheck.bench.launch.measurement import Measurement
from mpcheck.bench.launch.paired import PairedMeasurement
from tests.unit.bench_samples import HERE, PRINT, WATER, WOBBLE, against, launches, measurement


@pytest.mark.parametrize(
    ("factor", "wobble", "decision", "verdict"),
    [
        (1.0, 1.0, "same", "pass"), (1.2, 1.0, "slower", "fail"), (1 / 1.2, 1.0, "faster", "pass"),
        (1.0, 60.0, "inconclusive", "inconclusive"), (1.03, 1.0, "same", "pass"),
    ],
)  # fmt: skip
def test_latency_against_stored_figures(factor: float, wobble: float, decision: str, verdict: str) -> None:
    latency, cost = against(measurement(factor * 10.0, wobble=wobble), launches(10.0, wobble=wobble))
    assert (latency.figures["decision"], latency.verdict) == (decision, verdict)
    assert latency.ratio == pytest.approx(factor, rel=1e-6)
    assert latency.limit == 1.03
    assert bool(latency.reason) == (decision != "same")
    assert latency.figures["base_launches"] == 8 and latency.figures["yardstick"] == "all"
    assert latency.figures["median_ms"] == pytest.approx(factor * 10.0, rel=0.2)
    assert cost.verdict == "pass" and cost.reason == ""


def test_no_baseline_is_no_verdict_and_says_why() -> None:
    latency, cost = against(measurement(10.0), None)
    assert (latency.verdict, latency.reason, cost.verdict) == ("no-baseline", "nothing is stored", "no-baseline")
    assert "decision" not in latency.figures and latency.figures["launches"] == 8
    new = stored_findings([WATER], measurement(10.0), {}, "", STORED, HERE)[WATER.id]
    assert [f.verdict for f in new] == ["no-baseline", "no-baseline"] and new[0].reason == "new: nothing stored for it"


def test_stored_figures_that_cannot_be_compared_are_not_called_new() -> None:
    single = against(measurement(10.0), launches(10.0, count=1))[0]
    assert single.verdict == "no-baseline" and "single launch" in single.reason
    other = against(measurement(10.0, kernel="other"), launches(10.0))[0]
    assert other.verdict == "no-baseline" and "'all'" in other.reason


def test_a_cost_that_cannot_be_counted_is_unsupported_not_forgotten() -> None:
    now = measurement(10.0, cost=None)
    now.uncounted[WATER.id] = Unsupported("no-counter", "its cost differs from call to call")
    latency, cost = against(now, launches(10.0))
    assert latency.verdict == "pass"
    assert (cost.verdict, cost.reason) == ("unsupported", "its cost differs from call to call")
    assert against(measurement(10.0), launches(10.0), cost=None)[1].verdict == "no-baseline"


@pytest.mark.parametrize(
    ("why", "verdict"),
    [
        (no_device(), "unsupported"), (Unsupported("raised", "raised RuntimeError: boom"), "fail"), (Unsupported("raised", "no CUDA device"), "fail"),
        (Unsupported("no-operation", "raised by nobody"), "unsupported"), (Unsupported("substituted", "it is e3nn", "cueq"), "degraded"),
    ],
)  # fmt: skip
def test_unsupported_is_not_what_went_wrong(why: Unsupported, verdict: str) -> None:
    found = stored_findings([WATER], Measurement(unsupported={WATER.id: why}), {}, "", STORED, HERE)[WATER.id]
    assert [(f.verdict, f.reason, f.lacking) for f in found] == [(verdict, why.text, why.lacking)]


def test_what_the_model_no_longer_has_is_removed_and_what_was_not_asked_for_is_not() -> None:
    cell = BenchFigures(launches=launches(1.0, 2))
    base = {
        replace(WATER, **c).id: cell
        for c in (
            {}, {"subject": "gone"}, {"backend": "cueq"}, {"format": "float64"}, {"batch": 4}, {"system": "x"},
            {"work": "forward+backward"}, {"subject": "gone", "backend": "cueq"},
        )
    }  # fmt: skip
    found = gone(base, [WATER], selected=False)
    assert [(f.subject, f.backend, f.verdict) for f in found] == [("gone", "e3nn", "removed")]
    assert gone(base, [WATER], selected=True) == []


def test_more_launches_are_made_only_where_they_can_tell() -> None:
    verdicts = judge({"clear": paired_sample([0.0, 0.001, -0.001, 0.0, 0.001]), "noisy": paired_sample([0.05, -0.06, 0.02, 0.0, 0.01])}, Rule())
    assert unclear(verdicts) == ["noisy"]


def pairs(log_ratio: float, wobble: float = 1.0, **changes: Any) -> PairedMeasurement:
    fields: dict[str, Any] = {
        "differences": {WATER.id: [log_ratio + wobble * w for w in WOBBLE]},
        "seconds": {"base": {WATER.id: [1e-3] * 4}, "head": {WATER.id: [1e-3 * math.exp(log_ratio)] * 4}},
        "fingerprints": {"base": {WATER.id: PRINT}, "head": {WATER.id: PRINT}},
        "keys": {"base": [WATER.id], "head": [WATER.id]},
    }
    return PairedMeasurement(**{**fields, **changes})


@pytest.mark.parametrize(
    ("log_ratio", "wobble", "decision", "verdict"),
    [
        (0.0, 1.0, "same", "pass"), (0.1, 1.0, "slower", "fail"), (-0.1, 1.0, "faster", "pass"), (0.027, 30.0, "inconclusive", "inconclusive"),
    ],
)  # fmt: skip
def test_base_against_head(log_ratio: float, wobble: float, decision: str, verdict: str) -> None:
    latency, cost = paired_findings(pairs(log_ratio, wobble), PAIRED, HERE)[WATER.id]
    assert (latency.figures["decision"], latency.verdict, cost.verdict) == (decision, verdict, "pass")
    assert latency.figures["base_median_ms"] == pytest.approx(1.0)
    assert latency.figures["median_ms"] == pytest.approx(math.exp(log_ratio))


def test_new_and_removed_benchmarks_of_base_against_head() -> None:
    found = paired_findings(
        pairs(0.0, keys={"base": [WATER.id, "s*1/old-e3nn-float32-forward"], "head": [WATER.id, "s*1/new-e3nn-float32-forward"]}), PAIRED, HERE
    )
    assert [f.verdict for f in found["s*1/new-e3nn-float32-forward"]] == ["no-baseline"]
    assert [(f.verdict, f.subject) for f in found["s*1/old-e3nn-float32-forward"]] == [("removed", "old")]


RAISED = Unsupported("raised", "raised X: y")


@pytest.mark.parametrize(
    ("told", "verdict"),
    [
        (("head", RAISED), "fail"), (("base", RAISED), "unsupported"), (("both", RAISED), "fail"),
        (("head", Unsupported("no-operation", "raised nothing")), "unsupported"), (("head", Unsupported("substituted", "e3nn", "cueq")), "degraded"),
    ],
)  # fmt: skip
def test_what_the_head_raises_is_a_failure(told: tuple[str, Unsupported], verdict: str) -> None:
    found = paired_findings(pairs(0.0, unsupported={WATER.id: told}), PAIRED, HERE)[WATER.id]
    assert [(f.verdict, f.reason) for f in found] == [(verdict, f"{told[0]}: {told[1]}")]


def test_a_pair_whose_cost_cannot_be_counted_still_has_a_latency() -> None:
    uncounted = pairs(
        0.0,
        fingerprints={"base": {WATER.id: PRINT}, "head": {}},
        uncounted={WATER.id: ("head", Unsupported("no-counter", "differs from call to call"))},
    )
    latency, cost = paired_findings(uncounted, PAIRED, HERE)[WATER.id]
    assert (latency.verdict, cost.verdict, cost.reason) == ("pass", "unsupported", "head: differs from call to call")
