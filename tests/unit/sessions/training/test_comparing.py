"""A regime against float64: float32 that differs is red, 16 bits that differ are an answer."""

from __future__ import annotations

import pytest

from mpcheck.records.record import Record
from mpcheck.records.training_figures import TrainingCompared
from mpcheck.sessions.training.comparing import compare
from tests.unit.sessions.training.samples import planned_comparison, run

BASE = [100.0, 110.0, 120.0]


def compared(regime: str, forces: list[float | None]) -> Record:
    own = [run(regime, seed, force) for seed, force in enumerate(forces)]
    return compare(planned_comparison(regime), own, [run("float64", seed, force) for seed, force in enumerate(BASE)], 10.0)


def decision(record: Record) -> str:
    assert isinstance(record.detail, TrainingCompared)
    return next(one.decision for one in record.detail.compared if (one.split, one.figure) == ("test", "force_meV_per_A"))


@pytest.mark.parametrize(
    ("regime", "forces", "verdict", "expected"),
    [
        ("float32", [100.5, 110.2, 120.1], "pass", "equivalent"),
        ("float32", [140.0, 150.0, 161.0], "fail", "different"),
        ("float32", [100.0, 150.0, 120.0], "inconclusive", "cannot tell"),
        ("half-linear-bf16+master", [140.0, 150.0, 161.0], "pass", "different"),
        ("half-linear-bf16+master", [100.0, 150.0, 120.0], "pass", "cannot tell"),
        ("half-linear-fp16", [None, None, None], "pass", "different"),
        ("float32", [None, 110.0, 120.0], "fail", "different"),
    ],
)
def test_verdicts(regime: str, forces: list[float | None], verdict: str, expected: str) -> None:
    record = compared(regime, forces)
    assert (record.verdict, decision(record)) == (verdict, expected)
    assert (verdict == "fail") == ("does not train as float64" in record.reason)
    assert record.key == f"training-compared/{regime}"


def test_trainings_without_figures_are_not_compared() -> None:
    lost = run("float32", 0, 100.0, verdict="fail", reason="raised: KeyError", detail=None)
    record = compare(planned_comparison("float32"), [lost], [run("float64", 0, 100.0)], 10.0)
    assert record.verdict == "unsupported" and "KeyError" in record.reason
