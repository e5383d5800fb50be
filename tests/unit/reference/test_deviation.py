"""Deviations of draws are those of one rounding, whatever makes the values."""

from __future__ import annotations

import math

import pytest
import torch

from mpcheck.reference.deviation import deviation, deviations, disturbed, squares
from mpcheck.reference.noise import seed_of
from mpcheck.reference.whole_noise import ROUNDOFF

X = torch.rand(2000, dtype=torch.float64, generator=torch.Generator().manual_seed(2)) + 0.5
SEEDS = [seed_of("deviation", n) for n in range(20)]


def test_one_product_deviates_by_one_uniform_rounding() -> None:
    draw = disturbed(lambda: {"out": X * 0.3})
    scale = deviation(draw, {"out": X * 0.3}, SEEDS)["out"]
    assert float((scale / (X * 0.3)).square().mean().sqrt()) == pytest.approx(ROUNDOFF / math.sqrt(3), rel=0.02)


def test_stored_parameters_are_disturbed_where_they_are_asked_for_and_put_back() -> None:
    module = torch.nn.Linear(1, 1, bias=False).double()
    before = module.weight.detach().clone()
    alone = disturbed(lambda: {"weight": module.weight.detach().clone()}, "product")
    stored = disturbed(lambda: {"weight": module.weight.detach().clone()}, "product", module)
    assert torch.equal(alone(3)["weight"], before) and not torch.equal(stored(3)["weight"], before)
    assert torch.equal(module.weight, before)


def test_values_that_a_draw_lacks_are_left_out_and_others_kept_in_order() -> None:
    values = {"a": torch.zeros(2, dtype=torch.float64), "b": torch.zeros(2, dtype=torch.float64)}
    draws = {1: {"a": torch.full((2,), 3.0, dtype=torch.float64)}, 2: {n: torch.full((2,), 4.0, dtype=torch.float64) for n in values}}
    told = [(name, own.tolist()) for name, own in deviations(lambda seed: {n: t.clone() for n, t in draws[seed].items()}, values, [1, 2], eta=0.5)]
    assert told == [("a", [6.0, 6.0]), ("a", [8.0, 8.0]), ("b", [8.0, 8.0])]
    counted = squares(lambda seed: {n: t.clone() for n, t in draws[seed].items()}, values, [1, 2], lambda own: float(own.square().sum()))
    assert len(counted["a"]) == 2 and len(counted["b"]) == 1 and counted["a"][0] < counted["a"][1]
