"""Errors and costs of a policy that moved are told and red; what chance moves is not."""

from __future__ import annotations

import pytest

from mpcheck.history.compare import compare
from mpcheck.history.objections import of_comparison
from mpcheck.history.policies import policy_moved
from mpcheck.records.policy_figures import PolicyCost, PolicyErrors, PolicySpeed
from mpcheck.records.read import Results
from mpcheck.records.record import Record
from tests.unit.record_samples import findings

ABOUT = {"check": "policy", "subject": "linear-bf16", "backend": "e3nn", "system": "builtin:water"}


def row(detail: object, variant: str = "finite") -> Record:
    return Record(**ABOUT, variant=variant, verdict="pass", detail=detail, key="p")  # type: ignore[arg-type]  # fields of one type


def errors(force: float | None = 1.0, energy: float | None = 0.1, stress: float | None = 2.0, scale: float = 1.0) -> Record:
    promised = {"predicted_force_meV_per_A": scale, "predicted_energy_meV_per_atom": 0.1 * scale, "predicted_stress_meV_per_A3": 2 * scale}
    return row(PolicyErrors(force_meV_per_A=force, energy_meV_per_atom=energy, stress_meV_per_A3=stress, **promised))


def speed(ratio: float, reach: float = 0.05) -> Record:
    detail = PolicySpeed(speedup_float64=ratio, speedup_float64_low=ratio * (1 - reach), speedup_float64_high=ratio * (1 + reach))
    return Record(check="policy-speed", subject="linear-bf16", backend="e3nn", system="builtin:water", verdict="pass", detail=detail, key="s")


def cost(operations: float = 1000.0, moved: float = 1e6, casts: float = 0.0) -> Record:
    return row(PolicyCost(operations=operations, multiply_adds=1e7, bytes_moved=moved, casts=casts), "cost")


@pytest.mark.parametrize(
    ("base", "head", "kind", "says"),
    [
        (errors(), errors(force=2.0), "moved", "forces meV/Å 1 -> 2 (1 predicted in base)"),
        (errors(), errors(2.0, 0.2, 4.0, scale=2.0), "moved", "forces meV/Å 1 -> 2"),  # head predicts more, too, so that the ratio stays
        (errors(), errors(energy=0.4), "moved", "energy meV/atom 0.1 -> 0.4"),
        (errors(), errors(stress=6.0), "moved", "stress meV/Å³ 2 -> 6"),
        (errors(), errors(force=None), "moved", "forces meV/Å 1 -> not known"),
        (errors(), errors(force=0.2), "improved", "forces meV/Å 1 -> 0.2"),
        (cost(), cost(operations=1100), "moved", "operations of a call 1,000 -> 1,100 (+10 %)"),
        (cost(), cost(casts=5), "moved", "casts of a call 0 -> 5"),
        (cost(), cost(moved=9e5), "improved", "bytes moved of a call"),
        (cost(1000, 1e6), cost(900, 2e6), "moved", "bytes moved"),
        (speed(1.8), speed(1.0), "moved", "1.80 -> 1.00 times as fast as float64"),
        (speed(1.0), speed(1.8), "improved", "1.00 -> 1.80"),
    ],
)
def test_what_moved(base: Record, head: Record, kind: str, says: str) -> None:
    told = policy_moved(base, head)
    assert told is not None and told[0] == kind and says in told[1]


@pytest.mark.parametrize(
    ("base", "head"),
    [
        (errors(), errors(force=1.2)),
        (errors(energy=0.03), errors(energy=0.14)),  # one number a structure
        (errors(stress=0.8), errors(stress=2.5)),
        (errors(force=0.3), errors(force=0.8)),  # other sound roundings of as many operations
        (errors(1e-12, 1e-13, 1e-12, scale=1e-12), errors(9e-12, 1e-13, 1e-12, scale=1e-12)),  # float64 itself
        (cost(), cost(operations=1010)),
        (speed(1.8), speed(1.5)),
        (speed(1.8), speed(1.2, reach=0.4)),
        (errors(), cost()),
    ],
)
def test_what_chance_moves(base: Record, head: Record) -> None:
    assert policy_moved(base, head) is None


def results(*records: Record) -> Results:
    return Results({"policy": findings("policy", *records)})


def test_a_gate_is_red_for_it() -> None:
    found = compare(results(errors(), cost()), results(errors(force=2.0), cost(operations=2000)))
    assert found.counts == {"moved": 2} and found.failed
    assert of_comparison(found, ()) == ["2 ratios moved beyond noise"]
    assert of_comparison(found, ("moved",)) == []


def test_ratios_of_single_quantities_are_judged_by_their_limits_alone() -> None:
    """An energy's and a parity's scatter, so that two sound runs have any."""
    low, high = (row(None, "energy").model_copy(update={"ratio": ratio, "limit": 1.5}) for ratio in (0.3, 1.4))
    assert not compare(results(low), results(high)).failed


def test_rows_that_are_gone_are_red() -> None:
    found = compare(results(errors(), cost()), results(errors()))
    assert [c.kind for c in found.changes] == ["gone"] and found.failed
