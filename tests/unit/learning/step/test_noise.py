from __future__ import annotations

import pytest
import torch

from mpcheck.formats import BFLOAT16, FLOAT16, TF32, Format
from mpcheck.learning.step.noise import MARKER, AutocastNoise, MarkedNoise, OperandNoise
from mpcheck.learning.step.reference import MOST_SCALE, clipping, loss_scale


def drawn(*shape: int, seed: int = 0) -> torch.Tensor:
    return torch.randn(shape, dtype=torch.float64, generator=torch.Generator().manual_seed(seed))


def relative(noisy: torch.Tensor, exact: torch.Tensor) -> float:
    return float(((noisy.double() - exact) / exact).square().mean().sqrt())


@pytest.mark.parametrize("fmt", [BFLOAT16, FLOAT16], ids=lambda fmt: fmt.name)
def test_what_is_marked_takes_noise_of_the_formats_size_and_nothing_else_does(fmt: Format) -> None:
    x = drawn(20_000).abs() + 0.5  # below the normal range the error is absolute
    with MarkedNoise(1, fmt):
        cast, wide = x.to(MARKER), x * 1.1
        product = cast * cast
    assert relative(cast, x) == pytest.approx(fmt.u / 3**0.5, rel=0.03)
    assert torch.equal(wide, x * 1.1)
    assert relative(product, cast.double() ** 2) == pytest.approx(fmt.u / 3**0.5, rel=0.03)


def test_backward_passes_take_it_as_well_and_their_own_backward() -> None:
    x = drawn(300).requires_grad_()
    w = drawn(300, seed=1).to(MARKER)

    def second() -> tuple[torch.Tensor, torch.Tensor]:
        (first,) = torch.autograd.grad(((x.to(MARKER) ** 2) * w).sum(), x, create_graph=True)
        return first.detach(), torch.autograd.grad(first.square().sum(), x)[0]

    exact = second()
    with MarkedNoise(1, BFLOAT16):
        noisy = second()
    assert all(1e-3 < relative(a, b) < 3e-2 for a, b in zip(noisy, exact, strict=True))


def test_rounding_is_the_formats_own() -> None:
    x = drawn(100)
    with MarkedNoise(None, BFLOAT16):
        assert torch.equal(x.to(MARKER), x.to(torch.bfloat16).to(MARKER))
    looking = MarkedNoise(None, FLOAT16, looking=True)
    with looking:
        same = (1e6 * x).to(MARKER)
        looking.phase = "backward"
        (1e8 * x).to(MARKER)
    assert torch.equal(same, (1e6 * x).to(MARKER))
    assert looking.peaks["forward"] == pytest.approx(1e6 * float(x.abs().max()), rel=1e-6)
    assert looking.peaks["backward"] == pytest.approx(1e8 * float(x.abs().max()), rel=1e-6)


def test_tf32_rounds_operands_alone_and_of_another_backend_all() -> None:
    a, b = drawn(50, 50), drawn(50, 50, seed=1)
    exact = a @ b
    with OperandNoise(1, TF32):
        product, total = a @ b, a + b
    assert torch.equal(total, a + b) and float((product - exact).norm() / exact.norm()) == pytest.approx(2**0.5 * 2.0**-11 / 3**0.5, rel=0.1)
    with OperandNoise(1, TF32, results=True):
        assert relative(a * b, (a * b)) < 1e-2 and not torch.equal(a + b, total)
    with OperandNoise(None, TF32):
        rounded = a @ b
    assert 0 < float((rounded - exact).norm() / exact.norm()) < 2.0**-11


def test_autocast_rounds_products_and_what_comes_of_them_alone() -> None:
    a, b = drawn(40, 40), drawn(40, 40, seed=1)
    with AutocastNoise(1, BFLOAT16):
        wide, product = a + b, a @ b
    assert torch.equal(wide, a + b)
    assert 1e-3 < float((product - a @ b).norm() / (a @ b).norm()) < 1e-2


def test_a_loss_scale_keeps_cotangents_in_range() -> None:
    assert loss_scale(0.0, FLOAT16.largest) == loss_scale(1e-3, FLOAT16.largest) == MOST_SCALE
    assert loss_scale(1e9, FLOAT16.largest) == 1.0
    for peak in (0.3, 1.0, 7.0, 900.0):
        scale = loss_scale(peak, FLOAT16.largest)
        assert scale * peak <= FLOAT16.largest / 4 < 2 * scale * peak and scale == 2.0 ** round(torch.log2(torch.tensor(scale)).item())


def test_a_gradient_is_always_clipped_and_never_beyond_what_upstream_does() -> None:
    for norm in (1e-5, 0.3, 1.0, 9.0, 19.0, 21.0, 1e6):
        most = clipping([torch.full((4,), norm / 2, dtype=torch.float64)], 10.0)
        assert most <= min(10.0, norm / 2) and (most == 10.0 or most > norm / 4)
    assert clipping([torch.zeros(3)], 10.0) == 10.0
