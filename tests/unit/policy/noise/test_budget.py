"""The error budget: shares of one whole, in the units of the prediction, led by the blocks that a policy lowers."""

from __future__ import annotations

import json

import pytest

from mpcheck.policy.assignment import assigned
from mpcheck.policy.noise.budget import error_budget
from mpcheck.policy.noise.prediction import predicted
from mpcheck.policy.rules import Policy, Rule, builtin
from tests.unit.policy.helpers.small import calls, sensitivities


@pytest.mark.parametrize("name", ["float32", "tf32", "linear-bf16", "int8w+fp16", "autocast-bf16", "all-bf16"])
def test_shares_of_one_whole(name: str) -> None:
    policy = builtin()[name]
    formats = assigned(policy, calls().blocks)
    found = error_budget(sensitivities(), policy, formats)
    for kind in ("energy", "force", "stress"):
        assert sum(getattr(r, f"{kind}_share") for r in found.rows) == pytest.approx(1)
        assert all(getattr(r, f"{kind}_share") >= 0 for r in found.rows)
    assert found.force == pytest.approx(predicted(sensitivities(), policy, formats).force_rms, rel=0.5)  # known parts add up with their signs there
    assert json.dumps([r.fields() for r in found.rows])


def test_a_policy_spends_where_it_lowers() -> None:
    policy = Policy(name="x", rules=[Rule(blocks=["interactions.1.linear", "readouts.0.linear"], compute="bfloat16")])
    found = error_budget(sensitivities(), policy, assigned(policy, calls().blocks))
    assert {r.block for r in found.rows[:2]} == {"interactions.1.linear", "readouts.0.linear"}
    assert found.rows[0].force_share + found.rows[1].force_share > 0.99
    assert found.rows[0].format.startswith("bfloat16")


def test_bounds_are_worst_cases_that_add_up() -> None:
    policy = builtin()["linear-bf16"]
    found = error_budget(sensitivities(), policy, assigned(policy, calls().blocks))
    assert found.force_bound > found.force
    row = next(r for r in found.rows if r.block == "interactions.1.linear")
    assert row.force_gain is not None and row.force_bound is not None
    assert row.force_bound > 100 * row.force_gain * 2.0**-8
    half = Policy(name="x", rules=[Rule(blocks=["interactions.1.linear"], compute="float16")])
    finer = error_budget(sensitivities(), half, assigned(half, calls().blocks))
    other = next(r for r in finer.rows if r.block == "interactions.1.linear")
    assert other.force_bound == pytest.approx(row.force_bound / 8) and other.force_gain == row.force_gain
