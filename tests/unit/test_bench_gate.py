"""From launches to findings: every verdict of the bench session, and the words that go with it."""

from __future__ import annotations

import json
import math
from dataclasses import replace
from typing import Any, get_args

import pytest

from mpcheck._unsupported import Unsupported, no_device
from mpcheck.bench.decide.decision import Rule, judge, paired_sample
from mpcheck.bench.decide.outcomes import Standing, device_metrics, latency_finding
from mpcheck.bench.decide.units import CHOOSING, yardstick_of
from mpcheck.bench.decide.verdicts import PAIRED, STORED, gone, paired_findings, stored_findings, unclear
from mpcheck.bench.figures import BenchFigures, Fingerprint, Launch
from mpcheck.bench.keys import BenchKey, Work, fields_of, parse_id
from mpcheck.bench.launch.measurement import Measurement
from mpcheck.bench.launch.paired import PairedMeasurement
from mpcheck.records.record import Record
from tests.unit.bench_samples import PRINT

WATER = BenchKey("builtin:water", 1, "products.0.linear", "e3nn", "float32", "forward")
MORE = PRINT.model_copy(update={"launches": PRINT.launches + 1, "operations": {**PRINT.operations, "aten.mul": 1}})
WOBBLE = (-0.002, 0.001, 0.0, 0.002, -0.001, 0.0015, -0.0015, 0.0005)
HERE = Standing()


def launches(units: float, count: int = 8, wobble: float = 1.0, kernel: str = "all") -> list[Launch]:
    """Launches of so many yardsticks a call, a millisecond each."""
    found = []
    for i in range(count):
        value = units * math.exp(wobble * WOBBLE[i % len(WOBBLE)])
        found.append(Launch(quantiles=[value * 1e-3] * 5, normalised={kernel: value}, rounds=24, calls=3, first_call=1.0))
    return found


def measurement(units: float, cost: Fingerprint | None = PRINT, **changes: Any) -> Measurement:
    prints = {} if cost is None else {WATER.id: cost}
    return Measurement(launches={WATER.id: launches(units, **changes)}, fingerprints=prints, processes=8)


def against(now: Measurement, base: list[Launch] | None, cost: Fingerprint | None = PRINT, standing: Standing = HERE) -> list[Record]:
    cells = None if base is None else {WATER.id: BenchFigures(launches=base, fingerprint=cost)}
    return stored_findings([WATER], now, cells, "nothing is stored", replace(STORED, between_occasion_sd=0.0), standing)[WATER.id]


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


def test_a_red_verdict_says_effect_interval_margin_and_what_could_have_been_seen() -> None:
    reason = against(measurement(12.0), launches(10.0))[0].reason
    assert reason.startswith("slower by more than the margin: +20.0 % [+")
    for part in ("at 99 % a side", "margin 3 %", "detectable +", "8 launches"):
        assert part in reason


def test_a_machine_that_may_not_gate_is_never_red_but_says_so() -> None:
    latency = against(measurement(12.0), launches(10.0), standing=Standing(False, "9 alarms in 100"))[0]
    assert latency.verdict == "inconclusive" and latency.figures["decision"] == "slower"
    assert "this machine may not gate: 9 alarms in 100" in latency.reason
    cost = against(measurement(10.0, cost=MORE), launches(10.0), standing=Standing(False, "x"))[1]
    assert cost.verdict == "fail", "counting has no noise"


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


def test_one_launch_more_is_a_failure_that_names_the_operation() -> None:
    latency, cost = against(measurement(10.0, cost=MORE), launches(10.0))
    assert latency.verdict == "pass" and cost.verdict == "fail"
    assert "1 more launch: aten.mul 0 -> 1" in cost.reason
    fewer = against(measurement(10.0), launches(10.0), cost=MORE)[1]
    assert fewer.verdict == "pass" and "1 fewer launch" in fewer.reason


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


def test_a_benchmark_that_ran_in_one_launch_only_has_no_figures() -> None:
    now = measurement(10.0)
    now.unsupported[WATER.id] = Unsupported("raised", "raised RuntimeError: boom")
    assert now.figures == {}
    assert [f.verdict for f in against(now, launches(10.0))] == ["fail"]


def test_the_yardstick_that_varies_least_is_chosen_where_there_are_launches_enough() -> None:
    def launch(i: int) -> Launch:
        normalised = {"all": 1 + 0.02 * (-1) ** i, "matmul": 5 + 0.001 * i, "stream": 2 + 0.1 * (-1) ** i}
        return Launch(quantiles=[1.0] * 5, normalised=normalised, rounds=1, calls=1, first_call=1.0)

    assert yardstick_of([launch(i) for i in range(CHOOSING)]) == "matmul"
    assert yardstick_of([launch(i) for i in range(CHOOSING - 1)]) == "all"
    lacking = launch(0).model_copy(update={"normalised": {"all": 1.0}})
    assert yardstick_of([*(launch(i) for i in range(CHOOSING)), lacking]) == "all"


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


@pytest.mark.parametrize("system", ["builtin:water", "builtin:solvents:2", "/data/a-b/c*d/f-1.xyz@[1:-2]", "../x/y-z*2", "weird - name.xyz", "a*b*c"])
@pytest.mark.parametrize("backend", ["e3nn", "cueq", "cueq-mul_ir", "my-own-backend"])
def test_a_name_is_parsed_back(system: str, backend: str) -> None:
    for subject in ("model", "products.0.linear", "atomic_energies_fn", "interactions.0.conv_tp_weights.layer0"):
        for work in get_args(Work):
            key = BenchKey(system, 12, subject, backend, "bfloat16", work)
            assert parse_id(key.id) == fields_of(key)


@pytest.mark.parametrize("name", ["", "/", "x", "a-b", "no slash-e3nn-float32-forward", "---", "a/b"])
def test_a_name_that_is_none_does_not_crash(name: str) -> None:
    Record(check="latency", **parse_id(name), verdict="removed")


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


def test_infinite_figures_do_not_reach_the_records() -> None:
    verdict = replace(judge({"c": paired_sample([0.0, 0.1, 0.2])}, Rule())["c"], detectable=math.inf, high=math.nan)
    finding = latency_finding(fields_of(WATER), verdict, Rule(), HERE, {})
    assert finding.latency.detectable_percent is None and finding.latency.high_percent is None
    Record.model_validate_json(finding.model_dump_json())


def test_what_a_gpu_tells_is_in_the_findings_metrics_with_its_units() -> None:
    from dataclasses import asdict

    from mpcheck.bench.gpu.figures import DeviceFigures
    from mpcheck.bench.gpu.kernels import Agreement, KernelTimes
    from mpcheck.records.detail import Latency

    told = DeviceFigures(
        event_seconds=2e-3, cold_seconds=3e-3, graph_seconds=1e-3, graph_reason="", kernels=KernelTimes(9.9e-4, 9.9e-4, 12.0), kernels_reason="",
        launch_share=0.5, agrees=Agreement(1.01, True, "within 3 %"), joules=None, joules_reason="no energy counter", conditions=None,
        conditions_reason="no NVML", peak_bytes=10,
    )  # fmt: skip
    metrics = device_metrics(json.loads(json.dumps(asdict(told))))
    assert metrics["event_ms"] == 2.0 and metrics["graph_ms"] == 1.0 and metrics["kernels_ms"] == 0.99
    assert metrics["launch_share"] == 0.5 and metrics["agreement"] == "within 3 %" and metrics["conditions_reason"] == "no NVML"
    assert "sm_mhz_median" not in metrics, "what is not known is left out"
    assert Latency(**metrics).figures == metrics
    assert device_metrics({}) == {}
