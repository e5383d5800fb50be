"""Maps, call times and points of the sweep as records."""

from __future__ import annotations

import pytest

from mpcheck._unsupported import Unsupported
from mpcheck.bench.keys import BenchKey
from mpcheck.bench.profile.attribution import UNATTRIBUTED, CallCost, TimeCost
from mpcheck.bench.profile.map import ProfileMap, rows_of
from mpcheck.bench.profile.sweep import SweepPoint
from mpcheck.sessions.profile.findings import latency_findings, map_findings, sweep_findings, unsupported_finding

KEY = BenchKey("builtin:water", 2, "model", "e3nn", "float32", "energy")
CALL = CallCost(
    1000.0, {("model", "forward"): TimeCost(400.0), ("linear", "forward"): TimeCost(600.0, 500.0, 0.0, 3.0)}, {"linear": "model"}, {"linear": 2}
)  # fmt: skip


def test_a_map_is_a_record_a_block_and_the_models_own_tells_of_the_run() -> None:
    whole, linear, rest = map_findings(ProfileMap(KEY, "cpu", rows_of([CALL], "cpu"), 1e-3, 5e-4, (5e-4,), 1, 4, "overhead-bound"))
    assert [r.subject for r in (whole, linear, rest)] == ["model", "linear", UNATTRIBUTED]
    assert (whole.figures["end_to_end_ms"], whole.figures["profiling_factor"], whole.figures["made_calls"]) == (1.0, 2.0, 4.0)
    assert (linear.figures["host_ms"], linear.figures["device_ms"], linear.figures["share"], linear.figures["calls"]) == (0.6, 0.5, 0.6, 2.0)
    assert linear.figures["bound"] == "kernel-bound" and linear.figures.get("end_to_end_ms") is None
    assert {(r.system, r.batch, r.backend, r.variant, r.verdict) for r in (whole, linear, rest)} == {("builtin:water", 2, "e3nn", "energy", "pass")}


@pytest.mark.parametrize(("code", "verdict"), [("substituted", "degraded"), ("raised", "fail"), ("no-device", "unsupported")])
def test_what_cannot_run_is_told_apart_from_what_raised(code: str, verdict: str) -> None:
    record = unsupported_finding(KEY, Unsupported(code, "why", "cueq"))  # type: ignore[arg-type]
    assert (record.verdict, record.reason, record.lacking) == (verdict, "why", "cueq")


def test_call_times_are_quantiles_in_milliseconds() -> None:
    (record,) = latency_findings(KEY, {"cueq": [i * 1e-3 for i in range(101)]})
    assert record.backend == "cueq" and record.figures["rounds"] == 101
    assert [record.figures[f"q{q}_ms"] for q in ("05", "25", "50", "75", "95")] == [5.0, 25.0, 50.0, 75.0, 95.0]


def test_a_point_of_the_sweep_has_its_speed_up_on_e3nn_or_the_reason_why_not() -> None:
    measured = SweepPoint(2, 4, 8, 64, {"e3nn": [0.02] * 5, "cueq": [0.01] * 5}, {"other": "not installed"})
    points = [measured, SweepPoint(3, 4, reasons={"*": "left out"})]
    slow, fast, other, *rest = sweep_findings(points, ("e3nn", "cueq", "other"), "float32")
    assert slow.figures["median_ms"] == 20.0 and slow.figures.get("speedup") is None
    assert [fast.figures[n] for n in ("speedup", "speedup_low", "speedup_high", "atoms", "edges")] == [2.0, 2.0, 2.0, 8, 64]
    assert other.reason == "not installed" and {(r.verdict, r.reason) for r in rest} == {("unsupported", "left out")}
