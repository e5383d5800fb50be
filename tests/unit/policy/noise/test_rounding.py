"""A policy's roundings in float64, against the same blocks in the types themselves."""

from __future__ import annotations

import pytest
import torch

from mpcheck.formats import Compute
from mpcheck.policy.assignment import assigned
from mpcheck.policy.evaluation import evaluate
from mpcheck.policy.noise.prediction import rms
from mpcheck.policy.noise.rounding import AddedRounding, to_bits
from mpcheck.policy.rules import Policy, Rule
from mpcheck.policy.running.applied import apply
from tests.unit.policy.helpers.small import box, calls, graph_of, model

LEAVES = [
    "node_embedding.linear",
    "spherical_harmonics",
    "interactions.1.linear_up",
    "interactions.0.conv_tp_weights",
    "products.1.symmetric_contractions",
]


@pytest.mark.parametrize("fmt", ["bfloat16", "float16"])
@pytest.mark.parametrize("leaf", LEAVES)
def test_one_block_is_emulated_to_the_digits_of_its_forces(leaf: str, fmt: Compute) -> None:
    policy = Policy(name="x", base="float64", rules=[Rule(blocks=[leaf], compute=fmt)])
    graph = graph_of(box())
    exact, low = evaluate(model(), graph), evaluate(apply(model(), policy), graph)
    where = calls()
    found = where.emulated(policy, assigned(policy, where.blocks))
    measured = low.forces - exact.forces
    assert rms(measured) > 0
    assert rms(measured - found["forces"]) < 0.35 * rms(measured)  # another order of a sum flips single roundings
    torch.testing.assert_close(found["energy"], low.energy - exact.energy, rtol=0.1, atol=1e-7)


def test_additions_in_place_keep_their_tensor() -> None:
    total, term = torch.full((3,), 1.0, dtype=torch.float64), torch.full((3,), 2.0**-7 + 2.0**-12, dtype=torch.float64)
    with AddedRounding(torch.bfloat16):
        same = total.add_(term)
        product = total * term
    assert same is total and (total == 1 + 2.0**-7).all()
    assert (product != product.to(torch.bfloat16).to(torch.float64)).all()  # what multiplies is left to the inner type


def test_operands_in_tf32() -> None:
    x = torch.tensor([1 + 2.0**-10, 1 + 2.0**-12, 1 + 3 * 2.0**-12], dtype=torch.float64)
    assert to_bits(11)(x).tolist() == [1 + 2.0**-10, 1.0, 1 + 2.0**-10]
