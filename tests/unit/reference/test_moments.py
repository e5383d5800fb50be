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


def noise_of(moments: Moments) -> torch.Tensor:
    return moments.noise()["inner"].double()


def test_larger_deviations_of_other_draws_are_taken_where_they_are_no_chance() -> None:
    """Of all, of a part, or of an element; what is as large by chance stays."""
    value, parts = torch.arange(1.0, 9.0, dtype=torch.float64).reshape(2, 4), [(..., slice(0, 3)), (..., slice(3, 4))]

    def drawn(rows: torch.Tensor) -> Moments:
        moments = Moments(value, parts)
        for factor in (1.0, -1.2, 0.8):
            moments.add("inner", factor * rows)
        return moments

    own = torch.tensor([[1.0, 1.0, 1.0, 0.01], [1.0, 0.1, 1.0, 0.01]], dtype=torch.float64)
    kept = drawn(own)
    kept.widened_by(drawn(1.3 * own))
    assert torch.equal(noise_of(kept), noise_of(drawn(own)))
    whole = drawn(own)
    whole.widened_by(drawn(1.5 * own))
    assert torch.equal(noise_of(whole), noise_of(drawn(1.5 * own))) and whole.draws == drawn(1.5 * own).draws
    other = own.clone()
    other[:, 3], other[1, 1] = 0.02, 0.5
    mixed = drawn(own)
    mixed.widened_by(drawn(other))
    assert torch.equal(noise_of(mixed), noise_of(drawn(other)))
    told, was, wide = (one.statistics()["parts"] for one in (mixed, drawn(own), drawn(other)))
    assert told[1]["inner"]["mean_square"] == wide[1]["inner"]["mean_square"] == pytest.approx(4 * was[1]["inner"]["mean_square"])
    assert told[0]["inner"]["mean_square"] == was[0]["inner"]["mean_square"], "one element is no part"
    absent = Moments(value, parts)
    absent.widened_by(drawn(own))
    assert torch.equal(noise_of(absent), noise_of(drawn(own)))
