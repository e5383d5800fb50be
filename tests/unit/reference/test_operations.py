"""What is known of an aten operation: whether it rounds, is a product, adds up, and what of it is exact."""

from __future__ import annotations

import pytest
import torch

from mpcheck.reference.operations import exact_scaling, has_constant, operation_of, sums_in

aten = torch.ops.aten


@pytest.mark.parametrize(
    ("function", "rounds", "product", "sums", "in_place"),
    [
        (aten.mm.default, True, True, "inner", False),
        (aten.index_add_.default, True, False, "scatter", True),
        (aten._index_put_impl_.default, True, False, "gather", True),
        (aten.sum.dim_IntList, True, False, "inner", False),
        (aten.mul.Tensor, True, False, None, False),
        (aten.index.Tensor, False, False, None, False),
        (aten.view.default, False, False, None, False),
    ],
)
def test_operations_are_what_they_are(function: object, rounds: bool, product: bool, sums: str | None, in_place: bool) -> None:
    known = operation_of(function)
    assert (known.rounds, known.product, known.sums, known.in_place) == (rounds, product, sums, in_place)
    assert sums_in(known.name) == sums


def test_fused_functions_have_their_steps() -> None:
    silu, x = operation_of(aten.silu.default), torch.randn(5)
    assert silu.steps is not None and torch.allclose(silu.steps(x), torch.nn.functional.silu(x))
    assert operation_of(aten.exp.default).steps is None


def test_powers_of_two_scale_exactly_and_other_constants_round() -> None:
    x = torch.ones(2)
    assert exact_scaling("mul", (x, 0.5)) and exact_scaling("div", (x, -4))
    assert not exact_scaling("mul", (x, 0.3)) and not exact_scaling("add", (x, 2))
    assert has_constant("mul", (x, 0.3)) and not has_constant("mul", (x, x)) and not has_constant("view", (x, 0.3))
