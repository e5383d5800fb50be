"""Deviations of draws are added up element by element and draw by draw."""

from __future__ import annotations

import pytest
import torch

from mpcheck.reference.moments import Moments, distinct


def vector(*numbers: float) -> torch.Tensor:
    return torch.tensor(numbers, dtype=torch.float64)


def test_noise_is_the_root_of_the_mean_square_of_each_element() -> None:
    moments = Moments(vector(1.0, -2.0))
    moments.add("product", vector(3.0, 0.0))
    moments.add("product", vector(4.0, 1.0))
    moments.add("operation", vector(0.0, 0.0))
    noise = moments.noise()
    assert set(noise) == {"product"}, "a component that moves nothing has no noise"
    assert torch.allclose(noise["product"].double(), vector(12.5**0.5, 0.5**0.5)) and noise["product"].dtype == torch.float32


def test_statistics_are_of_draws() -> None:
    moments = Moments(vector(1.0, -2.0))
    moments.add("product", vector(3.0, -1.0))
    moments.add("product", vector(-3.0, 1.0))
    told = moments.statistics()
    assert told["numel"] == 2 and told["distinct"] == 2
    (row,) = told["components"].values()
    assert (row["draws"], row["mean_square"], row["spread"]) == (2, 5.0, 0.0)
    assert row["bias"] == pytest.approx(1.0) and row["signed_bias"] == pytest.approx(2.0)
    alone = Moments(vector(1.0))
    alone.add("inner", vector(2.0))
    assert alone.statistics()["components"]["inner"]["spread"] == 1.0, "of one draw nothing is known"


def test_equal_magnitudes_are_one_piece_of_evidence() -> None:
    assert distinct(vector(1.0, -1.0, 1.0 + 2.0**-50, 2.0, 0.0)) == 3
    assert distinct(vector()) == 0


def test_parts_have_statistics_of_their_own() -> None:
    moments = Moments(torch.tensor([[1.0, 2.0, 5.0], [3.0, 4.0, 5.0]], dtype=torch.float64), [(..., slice(0, 2)), (..., slice(2, 3))])
    for factor in (1.0, -3.0):
        moments.add("product", factor * torch.tensor([[1.0, 1.0, 0.0], [1.0, 1.0, 0.0]], dtype=torch.float64))
    told = moments.statistics()
    assert [list(part) for part in told["parts"]] == [["product"], []], "a part that nothing moves has no component"
    assert told["parts"][0]["product"]["mean_square"] == 5.0 and told["components"]["product"]["mean_square"] == pytest.approx(10 / 3)
    assert told["parts"][0]["product"]["spread"] == pytest.approx(32**0.5 / 5)


def test_concentration_counts_the_magnitudes_that_have_the_error() -> None:
    def concentration(values: torch.Tensor, errors: torch.Tensor) -> float:
        moments = Moments(values)
        moments.add("stored", errors)
        return float(moments.statistics()["components"]["stored"]["concentration"])

    assert concentration(vector(1.0, 2.0, 3.0, 4.0), vector(1.0, 1.0, 1.0, 1.0)) == pytest.approx(0.5)
    assert concentration(vector(1.0, -1.0, 3.0, 4.0), vector(1.0, 1.0, 0.0, 0.0)) == pytest.approx(1.0), "equal magnitudes err alike"
    assert concentration(vector(1.0, 2.0, 3.0, 4.0), vector(9.0, 0.0, 0.0, 0.1)) == pytest.approx(1.0, abs=1e-3)
