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
