"""Errors of policies for a search: predicted, and measured end to end."""

from __future__ import annotations

import math

import pytest

from mpcheck._errors import InputError
from mpcheck.adapters.blocks import module_blocks
from mpcheck.policy.calls import Calls
from mpcheck.policy.expected import end_to_end, expected
from mpcheck.policy.reference import whole_reference
from mpcheck.policy.rules import Policy, Rule, builtin
from mpcheck.policy.sensitivity import sensitivity
from mpcheck.policy.structures import structure_sets
from mpcheck.sessions.run import Session
from tests.unit.checks.uses.small_models import built, session_of


@pytest.fixture(scope="module")
def run(tmp_path_factory: pytest.TempPathFactory) -> Session:
    small = built("ScaleShiftMACE", max_ell=1, correlation=1, num_interactions=1)
    return session_of(small, tmp_path_factory.mktemp("small"))


def test_predicted_and_measured_errors_are_of_one_size_and_grow_alike(run: Session) -> None:
    model, system = run.model.module, "builtin:water"
    sets = structure_sets(run.systems[system].frames, run.model.r_max)
    measured = end_to_end(run, sets, whole_reference(run.model, sets, in_process=True))
    told = expected(module_blocks(model), sensitivity(Calls(model, run.graph(system))))
    exact = measured(builtin()["float64"])
    assert max(exact) < 1e-6
    for name in ("float32", "linear-bf16"):
        pairs = list(zip(measured(builtin()[name]), told(builtin()[name]), strict=True))
        assert 0.2 < pairs[1][0] / pairs[1][1] < 5.0, pairs  # forces: many numbers; the energy of one structure scatters
        assert 0.01 < pairs[0][0] / pairs[0][1] < 100.0, pairs
    assert told(builtin()["linear-bf16"])[1] > 100 * told(builtin()["float32"])[1]


def test_a_policy_that_cannot_be_assigned_has_no_prediction_and_one_that_cannot_be_applied_no_measurement(run: Session) -> None:
    elsewhere = Policy(name="elsewhere", rules=[Rule(blocks=["no.such.block"], compute="float16")])
    system = "builtin:water"
    sets = structure_sets(run.systems[system].frames[:1], run.model.r_max)
    reference = whole_reference(run.model, sets, in_process=True)
    with pytest.raises(InputError, match=r"no\.such\.block"):
        end_to_end(run, sets, reference)(elsewhere)
    calls = Calls(run.model.module, run.graph(system))
    told = expected(module_blocks(run.model.module), sensitivity(calls))(elsewhere)
    assert all(math.isnan(e) for e in told)
