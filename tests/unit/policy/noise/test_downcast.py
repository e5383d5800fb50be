"""When to down-cast: lowest formats within a budget, alone and together, and why."""

from __future__ import annotations

import json

import pytest

from mpcheck.policy.accuracy import Budget
from mpcheck.policy.assignment import assigned
from mpcheck.policy.noise.downcast import Downcast, downcast
from mpcheck.policy.noise.prediction import predicted
from tests.unit.policy.helpers.small import calls, sensitivities


def _found(energy: float, force: float, **other: object) -> Downcast:
    return downcast(sensitivities(), calls().blocks, Budget(energy, force), **other)  # type: ignore[arg-type]


def test_a_generous_budget_lowers_everything_and_an_empty_one_nothing() -> None:
    assert {r.together for r in _found(1e3, 1e3).rows} == {"bfloat16"}
    strict = _found(1e-9, 1e-9)
    held = {"atomic_energies_fn"}  # summed apart: costs nothing in any format
    assert {r.alone for r in strict.rows if r.block not in held} == {"float32"} and strict.policy.rules == []
    assert all("would cost" in r.alone_reason for r in strict.rows if r.block not in held)


def test_alone_together_and_why() -> None:
    every = _found(1e3, 1e3)
    found = _found(every.energy / 3, every.force / 3)
    assert found.energy <= found.budget.energy_meV_per_atom and found.force <= found.budget.force_meV_per_A
    finer = [r for r in found.rows if r.alone == "bfloat16" and r.together != "bfloat16"]
    assert finer and all("beside the other blocks" in r.together_reason for r in finer)
    for row in found.rows:
        assert ["bfloat16", "float16", "float32"].index(row.alone) <= ["bfloat16", "float16", "float32"].index(row.together)
        assert row.alone_reason and row.together_reason
    assert len({r.together for r in found.rows}) >= 2
    again = predicted(sensitivities(), found.policy, assigned(found.policy, calls().blocks))
    assert (again.energy_rms, again.force_rms) == pytest.approx((found.energy, found.force))
    assert json.dumps([r.fields() for r in found.rows])


def test_the_limit_of_the_block_itself() -> None:
    found = _found(1e3, 1e3, within=lambda block, fmt: not (block == "spherical_harmonics" and fmt == "bfloat16"))
    row = next(r for r in found.rows if r.block == "spherical_harmonics")
    assert row.alone == row.together == "float16" and "beyond its limit" in row.alone_reason
