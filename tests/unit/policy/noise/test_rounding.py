"""A policy's roundings in float64, against the same blocks in the types themselves."""

from __future__ import annotations

import pytest
import torch

from mpcheck.formats import Compute
from mpcheck.policy.assignment import assigned
from mpcheck.policy.evaluation import evaluate
from mpcheck.policy.noise.prediction import rms
from mpcheck.policy.noise.rounding import AddedRounding, SerialGathers, serial, to_bits
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


@pytest.mark.parametrize("dtype", [torch.bfloat16, torch.float16])
def test_gradients_of_indexing_are_added_as_a_cpu_adds_them(dtype: torch.dtype) -> None:
    """Row by row in 16 bits: what equal rows lose is lost with one sign, and random partial sums do not tell of it."""
    generator = torch.Generator().manual_seed(0)
    where = torch.randint(0, 3, (2400,), generator=generator)
    rows = (1.0 + 1e-3 * torch.randn(2400, 2, generator=generator)).to(dtype)
    exact = torch.zeros(3, 2, dtype=torch.float64).index_put((where,), rows.double(), accumulate=True)
    with SerialGathers(dtype):
        found = torch.zeros(3, 2, dtype=torch.float64).index_put((where,), rows.double(), accumulate=True)
        elsewhere = torch.zeros(3, 2, dtype=torch.float64).index_put((where[:1],), rows[:1].double())
    assert torch.equal(found, torch.zeros(3, 2, dtype=dtype).index_put((where,), rows, accumulate=True).double())
    assert torch.equal(elsewhere[where[0]], rows[0].double())
    lost = (exact - found) / exact
    if dtype == torch.bfloat16:
        assert bool((lost > 0.0).all()) and float(lost.min()) > torch.finfo(dtype).eps


def test_no_row_is_added_to_nothing() -> None:
    assert torch.equal(serial(lambda t: t, torch.ones(2, 1), torch.zeros(0, dtype=torch.int64), torch.zeros(0, 1)), torch.ones(2, 1))
