"""tf32 on hardware that has none: operands of products are rounded to eleven bits, and nothing else."""

from __future__ import annotations

import torch

from mpcheck.judge.emulate import OperandRounding, round_significand


def test_half_way_goes_to_the_even_neighbour() -> None:
    x = torch.tensor([1 + 2.0**-11, 1 + 3 * 2.0**-11, 1 + 2.0**-11 + 2.0**-20, -(1 + 2.0**-11)])
    assert round_significand(x, 11).tolist() == [1.0, 1 + 2.0**-9, 1 + 2.0**-10, -1.0]
    assert torch.equal(round_significand(round_significand(x, 11), 11), round_significand(x, 11))


def test_operands_of_products_are_rounded_and_their_gradients_too() -> None:
    generator = torch.Generator().manual_seed(0)
    a, b, g = (torch.randn(8, 8, generator=generator) for _ in range(3))
    a.requires_grad_()
    with OperandRounding(11):
        product = a @ b
        (gradient,) = torch.autograd.grad(product, a, g)
    rounded = [round_significand(t.detach(), 11) for t in (a, b, g)]
    assert torch.equal(product, rounded[0] @ rounded[1]) and not torch.equal(product, a @ b)
    assert torch.equal(gradient, rounded[2] @ rounded[1].T)


def test_sums_and_float64_are_left_alone() -> None:
    x = torch.randn(50, generator=torch.Generator().manual_seed(1))
    with OperandRounding(11):
        plain, wide = x / 3 + x, torch.outer(x.double(), x.double()) @ x.double()
    assert torch.equal(plain, x / 3 + x) and torch.equal(wide, torch.outer(x.double(), x.double()) @ x.double())
