"""The noise scale: components add in quadrature, and few draws make it less certain."""

from __future__ import annotations

import math
from typing import Any

import pytest
import torch

from mpcheck.judge.scale import MOST_FREEDOM, UNIFORM_SPREAD, Scale, noise_scale, rounds

ONE = {"mean_square": 1.0, "spread": 0.1, "concentration": 0.02, "draws": 8, "bias": 0.5, "signed_bias": 0.25}


def statistics(**components: dict[str, float]) -> dict[str, Any]:
    return {"distinct": 10_000, "terms": 1, "components": {name: {**ONE, **changed} for name, changed in components.items()}}


def test_components_add_in_quadrature() -> None:
    noise = {"stored": torch.full((2, 3), 3.0), "operation": torch.full((2, 3), 4.0), "scatter": torch.full((2, 3), 100.0)}
    components = statistics(stored={"mean_square": 9.0}, operation={"mean_square": 16.0})
    scale = noise_scale(noise, components, {"stored": 0.5, "operation": 0.5}, torch.zeros(2, 3, dtype=torch.float64))
    assert torch.allclose(scale.s, torch.full((2, 3), 2.5, dtype=torch.float64)) and scale.rms == pytest.approx(2.5)
    assert scale.bias == pytest.approx(math.sqrt(2 * 0.25 * 0.25 / 6.25)) and scale.underflow == 0.0
    assert scale.freedom == pytest.approx(6.25**2 / ((0.25 * 9) ** 2 / 8 + (0.25 * 16) ** 2 / 8))


def test_underflow_is_told_apart() -> None:
    noise = {"stored": torch.ones(4), "underflow": torch.ones(4)}
    scale = noise_scale(noise, statistics(stored={}, underflow={"mean_square": 3.0}), {"stored": 1.0, "underflow": 1.0}, torch.zeros(4))
    assert scale.underflow == pytest.approx(0.75)


def test_few_magnitudes_that_have_most_of_the_noise_leave_a_tensor_uncertain_whatever_a_few_draws_said() -> None:
    noise, value = {"stored": torch.ones(4), "product": torch.ones(4)}, torch.zeros(4)
    even = noise_scale(noise, statistics(stored={}, product={}), {"stored": 1.0, "product": 1.0}, value)
    assert even.spread == pytest.approx(0.1 / math.sqrt(2)), "two components that scatter independently"
    few = noise_scale(noise, statistics(stored={"concentration": 0.6}, product={"concentration": 0.6}), {"stored": 1.0, "product": 1.0}, value)
    assert few.spread == pytest.approx(0.6 * UNIFORM_SPREAD)


def test_each_part_has_a_spread_and_an_underflow_of_its_own() -> None:
    told = statistics(stored={}, underflow={"mean_square": 1e-6})
    rows = [{"stored": {"mean_square": 2.0, "spread": 0.05, "concentration": 0.01}}]
    rows.append(
        {
            "stored": {"mean_square": 1e-9, "spread": 0.5, "concentration": 0.1},
            "underflow": {"mean_square": 3e-9, "spread": 0.9, "concentration": 0.1},
        }
    )
    scale = noise_scale({"stored": torch.ones(4)}, {**told, "parts": [*rows, {}]}, {"stored": 1.0, "underflow": 1.0}, torch.zeros(4))
    large, small, nothing = scale.parts
    assert large.spread == pytest.approx(0.05) and large.underflow == 0.0
    assert small.spread == pytest.approx(math.hypot(0.5, 2.7) / 4) and small.underflow == pytest.approx(0.75)
    assert nothing.spread == UNIFORM_SPREAD and scale.underflow < 1e-5


def test_what_does_not_round_has_no_scale_and_is_known_for_sure() -> None:
    scale = noise_scale({"stored": torch.ones(4)}, statistics(stored={}), {}, torch.zeros(4))
    assert (scale.rms, scale.spread, scale.freedom) == (0.0, UNIFORM_SPREAD, MOST_FREEDOM)


def test_a_scale_of_few_draws_is_stretched_the_more_the_more_elements_there_are() -> None:
    def stretch(freedom: float, elements: int) -> float:
        return Scale(torch.ones(1), 1.0, 0.1, 0.1, 0.1, 0.0, 1, freedom).stretch(elements)

    assert 1 < stretch(8, 10) < stretch(8, 10_000) < stretch(3, 10_000)
    assert stretch(MOST_FREEDOM, 10) == pytest.approx(1, abs=0.01)


def test_gathered_values_round_only_as_they_are_stored() -> None:
    assert not rounds(statistics(stored={}, underflow={}), {"stored": 0.1, "underflow": 0.1})
    assert rounds(statistics(stored={}, scatter={}), {"scatter": 0.1})
    assert not rounds(statistics(scatter={}), {"scatter": 0.0}) and not rounds(statistics(scatter={"mean_square": 0.0}), {"scatter": 0.1})


def test_a_scale_holds_the_error_that_sound_arithmetic_is_known_to_have_group_by_group() -> None:
    value = torch.tensor([[1.0, -1.0, 2.0, 2.0]] * 3, dtype=torch.float64)
    scale = Scale(torch.ones(3, 4, dtype=torch.float64), 1.0, 0.1, 0.01, 0.01, 0.0, 12, 20.0)
    error = torch.tensor([[0.5, -0.5, 3.0, 3.0]] * 3, dtype=torch.float64)
    parts = [(..., slice(0, 2)), (..., slice(2, 4))]
    wider = scale.holding(error, value, parts)
    assert wider.s[0].tolist() == pytest.approx([1, 1, 3, 3]) and wider.rms == pytest.approx(math.sqrt(5))
    assert wider.bias == pytest.approx(1.5 / math.sqrt(5) / 3), "a mean error that is known is no surprise"
    assert torch.equal(scale.holding(error.clamp(max=0.9), value, parts).s, scale.s), "no wider where draws hold the error"
    assert torch.equal(scale.holding(torch.full((3, 4), math.inf, dtype=torch.float64), value).s, scale.s)
