"""Monte Carlo arithmetic: the distribution of xi, what takes noise and what does not, scales against closed forms."""

from __future__ import annotations

import math
from typing import Any

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from mpcheck.reference.hashing import xi
from mpcheck.reference.noise import ETA, CensusMode, NoiseMode, perturb, perturb_absolute, seed_of


def deviations(function, component: str, draws: int = 400) -> torch.Tensor:
    exact = function()
    found = []
    for draw in range(draws):
        with NoiseMode(component, seed_of("test", draw)):
            found.append((function() - exact) / ETA)
    return torch.stack(found)


def test_xi_is_uniform_and_independent_between_draws() -> None:
    x = torch.rand(20_000, dtype=torch.float64, generator=torch.Generator().manual_seed(1)) + 0.5
    a, b = xi(x, seed_of(1)), xi(x, seed_of(2))
    for sample in (a, b):
        assert sample.abs().max() <= 1
        assert abs(sample.mean()) < 5 / math.sqrt(3 * len(x))
        assert abs(sample.square().mean() - 1 / 3) < 0.01
        counts = torch.histc(sample, bins=20, min=-1, max=1)
        assert float(((counts - 1000) ** 2 / 1000).sum()) < 60  # chi-squared with 19 degrees of freedom
    assert abs((a * b).mean()) < 0.02
    assert abs((a[1:] * a[:-1]).mean()) < 0.02


def test_equal_numbers_are_rounded_alike_up_to_sign_and_power_of_two() -> None:
    x = torch.tensor([0.3, 0.3, -0.3, 0.6, 0.15, 0.31], dtype=torch.float64)
    values = xi(x, seed_of("equal"))
    assert torch.equal(values[:5], values[0].expand(5))
    assert values[5] != values[0]


@given(st.integers(-255, 255), st.integers(-30, 30))
def test_numbers_that_every_format_holds_are_not_moved(mantissa: int, exponent: int) -> None:
    x = torch.tensor([math.ldexp(mantissa, exponent)], dtype=torch.float64)
    assert torch.equal(perturb(x, seed_of(mantissa)), x)


@pytest.mark.parametrize("name", ["view", "transpose", "index", "cat", "expand", "clone", "neg", "relu"])
def test_operations_that_only_move_values_take_no_noise(name: str) -> None:
    x = torch.randn(6, 5, dtype=torch.float64, generator=torch.Generator().manual_seed(0))
    call = {
        "view": lambda: x.view(5, 6).clone(), "transpose": lambda: x.t().contiguous(), "index": lambda: x[torch.tensor([3, 1, 1])],
        "cat": lambda: torch.cat([x, x]), "expand": lambda: x[:1].expand(4, 5).clone(), "clone": x.clone, "neg": lambda: -x, "relu": lambda: x.relu(),
    }[name]  # fmt: skip
    for component in ("operation", "product", "inner"):
        with NoiseMode(component, seed_of(name)):
            assert torch.equal(call(), call())
        clean = call()
        with NoiseMode(component, seed_of(name)):
            assert torch.equal(call(), clean)


def test_in_place_operations_take_noise_in_place() -> None:
    x = torch.full((1000,), 0.7, dtype=torch.float64)
    y = torch.zeros(1000, dtype=torch.float64)
    with NoiseMode("operation", seed_of(0)):
        z = y.add_(x)
    assert z is y
    assert not torch.equal(y, x)
    assert float((y - x).abs().max()) <= ETA


def test_scale_of_a_sum_of_products_matches_the_closed_form() -> None:
    generator = torch.Generator().manual_seed(3)
    a, b = (torch.randn(40, dtype=torch.float64, generator=generator) for _ in range(2))
    found = deviations(lambda: a * b + b, "operation").square().mean(0).sqrt()
    expected = ((a * b).square() + (a * b + b).square()).div(3).sqrt()
    assert torch.allclose(found, expected, rtol=0.2)


def test_scale_of_partial_sums_matches_sequential_accumulation_in_float32() -> None:
    """The inner component at float32's roundoff predicts the error of adding one term after another."""
    generator = torch.Generator().manual_seed(4)
    terms = torch.rand(256, 500, dtype=torch.float64, generator=generator).float().double()
    scale = deviations(lambda: terms.sum(0), "inner", draws=200).square().mean(0).sqrt() * 2.0**-24
    total = torch.zeros(500)
    for row in terms.float():
        total = total + row
    error = total.double() - terms.sum(0)
    ratio = float(error.square().mean().sqrt() / scale.square().mean().sqrt())
    assert 0.3 < ratio < 1.0


def test_product_operands_and_results_are_apart() -> None:
    generator = torch.Generator().manual_seed(5)
    a, b = torch.randn(30, 20, dtype=torch.float64, generator=generator), torch.randn(20, 10, dtype=torch.float64, generator=generator)
    result = deviations(lambda: a @ b, "product").square().mean(0).sqrt()
    assert torch.allclose(result, (a @ b).abs() / math.sqrt(3), rtol=0.25)
    operand = deviations(lambda: a @ b, "operand").square().mean(0).sqrt()
    assert torch.allclose(operand, (2 * (a.square() @ b.square()) / 3).sqrt(), rtol=0.25)
    assert not deviations(lambda: a @ b, "operation", draws=2).any()


def test_noise_reaches_the_backward_pass_and_scripted_code() -> None:
    x = torch.randn(50, dtype=torch.float64, generator=torch.Generator().manual_seed(6))

    @torch.jit.script
    def scripted(t: torch.Tensor) -> torch.Tensor:
        return (t * t).sin()

    def gradient() -> torch.Tensor:
        leaf = x.clone().requires_grad_(True)
        return torch.autograd.grad(scripted(leaf).sum(), leaf)[0]

    gradient()
    clean = gradient()
    with NoiseMode("operation", seed_of(1)):
        noisy = gradient()
    assert float((noisy - clean).abs().max()) > 0
    assert float((noisy - clean).abs().max()) < 1e-5


def test_fused_operations_are_taken_apart_for_inner_noise() -> None:
    x = torch.randn(50, dtype=torch.float64, generator=torch.Generator().manual_seed(7))
    assert deviations(lambda: torch.nn.functional.silu(x), "inner", draws=3).any()


def test_constants_of_the_code_take_noise_unless_exact() -> None:
    x = torch.ones(4, dtype=torch.float64)
    assert deviations(lambda: x * 0.1, "constant", draws=3).any()
    assert not deviations(lambda: x * 0.5, "constant", draws=3).any()


def test_census_sees_what_is_there() -> None:
    a = torch.randn(4, 4, dtype=torch.float64)
    with CensusMode() as census:
        (a @ a).mul(0.3).sum()
    assert census.present >= {"stored", "operand", "product", "operation", "inner", "constant"}
    assert "scatter" not in census.present
    assert census.peak >= float((a @ a).abs().max())


@pytest.mark.parametrize("component", ["operation", "product", "stored", "underflow"])
def test_zeros_without_memory_have_no_noise(component: Any) -> None:
    """Autograd makes them of the derivative of a sign; to read their digits ends the process."""
    nothing = torch._efficientzerotensor((3,), dtype=torch.float64)
    assert perturb(nothing, 1) is nothing and perturb_absolute(nothing, 1) is nothing
    x = torch.tensor([1.5, -2.25, 3.1], dtype=torch.float64, requires_grad=True)
    with NoiseMode(component, 7):
        (first,) = torch.autograd.grad((x.abs() * x).sum(), x, create_graph=True)
        (second,) = torch.autograd.grad(first.square().sum(), x)
    assert torch.allclose(second, 8 * x.detach(), rtol=1e-3)
