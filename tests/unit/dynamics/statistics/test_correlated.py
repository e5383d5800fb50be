"""Errors of correlated means hold, for short runs too."""

from __future__ import annotations

import numpy as np
import pytest
from scipy import stats

from mpcheck.dynamics.statistics.correlated import blocked, constant, equilibrated, inefficiency, jackknife, sampled, thinned
from tests.unit.dynamics.samples import autoregressive


@pytest.mark.parametrize(("tau", "samples"), [(1.0, 20_000), (20.0, 20_000), (1.0, 100_000), (20.0, 100_000)])
def test_inefficiency_of_a_known_process(tau: float, samples: int) -> None:
    rng = np.random.default_rng(0)
    phi = np.exp(-1.0 / tau)
    found = np.mean([inefficiency(autoregressive(rng, samples, tau)) for _ in range(5)])
    assert found == pytest.approx((1 + phi) / (1 - phi), rel=0.15)


@pytest.mark.parametrize(("tau", "samples"), [(1.0, 400), (10.0, 200), (10.0, 1000)])
def test_an_interval_misses_as_often_as_it_says(tau: float, samples: int) -> None:
    """Ten effective samples in the second case: plain pymbar with normal quantiles misses in 15 of 100."""
    rng = np.random.default_rng(1)
    missed, plain = 0, 0
    for _ in range(300):
        values = autoregressive(rng, samples, tau)
        one = sampled(values, 1.0)
        missed += abs(one.mean) > stats.t.isf(0.025, one.freedom) * one.error
        plain += abs(one.mean) > 1.96 * values.std() * np.sqrt(inefficiency(values) / samples)
    assert missed <= 0.09 * 300 and missed <= plain


def test_one_excursion_has_no_error() -> None:
    one = sampled(np.linspace(0, 1, 100), 1.0)
    assert np.isnan(one.error) and one.freedom == 0.0 and one.effective <= 2.0


def test_a_slow_part_that_pymbar_does_not_see() -> None:
    rng = np.random.default_rng(2)
    values = rng.standard_normal(6400) + autoregressive(rng, 6400, 800.0, spread=0.4)
    values[::2] -= 3.0 * values[::2].std()  # alternates: the correlation is negative at once, where pymbar's sum ends
    assert blocked(values) > 3 * inefficiency(values)
    assert blocked(rng.standard_normal(6400)) < 1.5


def test_equilibration_is_found() -> None:
    rng = np.random.default_rng(3)
    values = autoregressive(rng, 2000, 3.0)
    values[:300] += np.linspace(15.0, 0.0, 300)
    assert 150 <= equilibrated(values) <= 500 and equilibrated(np.ones(100)) == 0
    assert inefficiency(thinned(values)) < 2.0 and 200 < len(thinned(values)) < 600


def test_what_does_not_vary() -> None:
    assert constant(np.full(20, -1e4) + 1e-12) and not constant(np.array([0.0, 1e-9]))
    one = sampled(np.full(20, 3.0), 2.0)
    assert (one.mean, one.error, one.effective) == (3.0, 0.0, 20.0)


@pytest.mark.parametrize("values", [np.ones(7), np.array([1.0] * 10 + [np.nan]), np.ones((10, 2))])
def test_what_is_no_series_is_refused(values: np.ndarray) -> None:
    with pytest.raises(ValueError):
        sampled(values, 1.0)
    with pytest.raises(ValueError):
        sampled(np.arange(10.0), 0.0)


def test_leaving_out_blocks_gives_the_error_of_a_spread() -> None:
    rng = np.random.default_rng(4)
    found = [jackknife(autoregressive(rng, 2000, 5.0), lambda rows: float(rows.std())) for _ in range(60)]
    values, errors = np.array(found).T
    assert values.mean() == pytest.approx(1.0, abs=0.02) and errors.mean() == pytest.approx(values.std(ddof=1), rel=0.3)
    with pytest.raises(ValueError, match="four samples"):
        jackknife(np.ones(3), lambda rows: float(rows.mean()))
