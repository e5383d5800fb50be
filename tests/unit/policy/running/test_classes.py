"""Policies on models of upstream's other classes and options: what runs is what the policy says."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
import torch

from mpcheck.adapters.graph import make_graph
from mpcheck.adapters.upstream import mace
from mpcheck.policy.evaluation import evaluate
from mpcheck.policy.rules import get_policy
from mpcheck.policy.running.applied import apply
from mpcheck.policy.running.confirm import faults
from tests.unit.checks.uses.small_models import built
from tests.unit.policy.helpers.small import box

NONLINEAR = mace.modules.interaction_classes["RealAgnosticResidualNonLinearInteractionBlock"]
KINDS: dict[str, dict[str, Any]] = {
    "heads": {"heads": ("a", "b")},
    "pair repulsion": {"pair_repulsion": True},
    "torch's radial networks": {"interaction_cls": NONLINEAR, "interaction_cls_first": NONLINEAR},
    "biases": {"readout_cls": mace.modules.blocks.NonLinearBiasReadoutBlock},
}


def given(kind: str) -> tuple[torch.nn.Module, dict[str, torch.Tensor]]:
    model = built("ScaleShiftMACE", **{"atomic_energies": np.array([[-13.5, -2041.0]] * 2 if kind == "heads" else [-13.5, -2041.0]), **KINDS[kind]})
    return model, dict(make_graph([box()], ["H", "O"], 4.0, ["a", "b"] if kind == "heads" else ["Default"], ()))


@pytest.mark.parametrize("policy", ["float64", "seeds", "all-bf16", "int8w+fp16"])
@pytest.mark.parametrize("kind", KINDS)
def test_a_policy_runs_as_it_says(kind: str, policy: str) -> None:
    """Upstream's own ``model.to(bfloat16)`` raises for several heads, and gives float32 of a pair repulsion: both are in torch's default type."""
    model, graph = given(kind)
    made = apply(model, get_policy(policy))
    assert faults(made, model, graph) == {}
    found, exact = evaluate(made, graph), evaluate(model, graph)
    assert (bool(found.forces.isfinite().all()) and not torch.equal(found.forces, exact.forces)) or policy == "float64"
    assert torch.get_default_dtype() == torch.float32


def test_a_pair_repulsion_in_float64_is_so_whatever_torch_defaults_to() -> None:
    model, graph = given("pair repulsion")
    here = evaluate(model, graph)
    torch.set_default_dtype(torch.float64)
    try:
        there = evaluate(model, graph)
    finally:
        torch.set_default_dtype(torch.float32)
    assert torch.equal(here.energy, there.energy) and torch.equal(here.forces, there.forces)
