"""Fluctuations and their own time: a barostat that is wrong by three, a system that is stiffer."""

from __future__ import annotations

import math

import numpy as np
import pytest

from mpcheck.dynamics.statistics.correlated import Sample
from mpcheck.dynamics.statistics.decisions import Row, decide
from mpcheck.dynamics.statistics.equivalence import unpaired
from mpcheck.dynamics.statistics.fluctuations import correlation_time, log_spread, log_time, volume_spread
from mpcheck.dynamics.trajectory import Floats
from tests.unit.dynamics.samples import Oscillators, autoregressive, langevin

LENGTH = 20.0
SAMPLES = 2000


def volumes(seed: int, slower: float = 1.0, wider: float = 1.0) -> Floats:
    """[samples] Å³ of a cell that a damped piston moves, once every 0.6 ps; slower by a factor where its time constant is wrong."""
    toy = Oscillators(frequency=0.01 / slower, friction=0.004 / slower, timestep=10.0)
    rows = [x[0, 0] for x, _ in langevin(np.random.default_rng(seed), toy, (1,), 300.0, SAMPLES)]
    values = np.array(rows) * math.sqrt(toy.spring)
    return 1900.0 + 100.0 * wider * values


def decision(policy: Sample, reference: Sample) -> str:
    return decide([Row("time", "p", "log", unpaired([policy], [reference], math.log(1.5)))])[0].decision


def test_its_time_is_that_of_the_oscillation() -> None:
    found = [log_time(volumes(seed), LENGTH) for seed in range(30)]
    times = np.array([one.mean for one in found])
    assert np.exp(times.mean()) == pytest.approx(0.1, rel=0.1)
    assert np.mean([one.error for one in found]) == pytest.approx(times.std(ddof=1), rel=0.5)


def test_a_barostat_wrong_by_three_is_seen_and_chance_is_not() -> None:
    reference = log_time(volumes(0), LENGTH)
    assert decision(log_time(volumes(1, slower=3.0), LENGTH), reference) == "different"
    assert decision(log_time(volumes(2, slower=1 / 3.0), LENGTH), reference) == "different"
    assert [decision(log_time(volumes(seed), LENGTH), reference) for seed in range(10, 20)].count("equivalent") >= 9
    assert correlation_time(volumes(1, slower=3.0), 0.01) > correlation_time(volumes(0), 0.01)


def test_a_spread_that_is_three_times_as_wide_is_seen_at_the_same_mean() -> None:
    reference = log_spread(volumes(0), LENGTH)
    assert decision(log_spread(volumes(1, wider=3.0), LENGTH), reference) == "different"
    assert decision(log_spread(volumes(1), LENGTH), reference) != "different"
    spreads = [log_spread(volumes(seed), LENGTH) for seed in range(30)]
    assert np.mean([one.error for one in spreads]) == pytest.approx(np.std([one.mean for one in spreads], ddof=1), rel=0.4)


def test_spread_of_water() -> None:
    """64 molecules at 300 K, 1,920 Å³, 2.2 GPa: 60 Å³."""
    assert volume_spread(300.0, 1920.0, 2.2) == pytest.approx(60.1, abs=0.3)


def test_a_correlation_time_is_that_of_the_process() -> None:
    assert correlation_time(autoregressive(np.random.default_rng(0), 40_000, 20.0), 0.01) == pytest.approx(0.2, rel=0.15)


@pytest.mark.parametrize("values", [np.ones(100), np.arange(39.0), np.array([np.nan] * 100)])
def test_what_does_not_vary_is_refused(values: Floats) -> None:
    for statistic in (log_spread, log_time):
        with pytest.raises(ValueError, match="40 finite samples"):
            statistic(values, 1.0)
