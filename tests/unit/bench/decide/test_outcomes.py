"""Verdicts and counts in words and figures."""

from __future__ import annotations

import json
import math
from dataclasses import replace

from mpcheck.bench.decide.decision import Rule, judge, paired_sample
from mpcheck.bench.decide.outcomes import Standing, device_metrics, latency_finding
from mpcheck.bench.keys import fields_of
from mpcheck.records.record import Record
from tests.unit.bench_samples import HERE, PRINT, WATER, against, launches, measurement

MORE = PRINT.model_copy(update={"launches": PRINT.launches + 1, "operations": {**PRINT.operations, "aten.mul": 1}})


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


def test_one_launch_more_is_a_failure_that_names_the_operation() -> None:
    latency, cost = against(measurement(10.0, cost=MORE), launches(10.0))
    assert latency.verdict == "pass" and cost.verdict == "fail"
    assert "1 more launch: aten.mul 0 -> 1" in cost.reason
    fewer = against(measurement(10.0), launches(10.0), cost=MORE)[1]
    assert fewer.verdict == "pass" and "1 fewer launch" in fewer.reason


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
