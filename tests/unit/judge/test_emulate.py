"""tf32 is emulated to the bit."""

from __future__ import annotations

import pytest
import torch

from mpcheck.judge.emulate import OperandRounding, round_significand


def test_tf32_emulation_agrees_with_gfloat() -> None:
    gfloat = pytest.importorskip("gfloat")
    from gfloat.formats import format_info_binary32

    generator = torch.Generator().manual_seed(0)
    x = torch.cat(
        [
            torch.randn(2000, generator=generator) * 10.0 ** torch.randint(-20, 20, (2000,), generator=generator),
            torch.tensor([0.0, -0.0, 1.0, 65504.0]),
        ]
    )
    info = format_info_binary32
    tf32 = gfloat.FormatInfo(
        name="tf32", k=19, precision=11, bias=info.bias, has_nz=info.has_nz, domain=info.domain, num_high_nans=2**10 - 1,
        has_subnormals=True, is_signed=True, is_twos_complement=False,
    )  # fmt: skip
    expected = [gfloat.round_float(tf32, float(v), rnd=gfloat.RoundMode.TiesToEven) for v in x]
    assert torch.equal(round_significand(x, 11), torch.tensor(expected))


def test_tf32_emulation_passes_infinities_and_nan() -> None:
    x = torch.tensor([float("inf"), float("-inf"), float("nan")])
    assert torch.equal(round_significand(x, 11)[:2], x[:2])
    assert torch.isnan(round_significand(x, 11)[2])


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
