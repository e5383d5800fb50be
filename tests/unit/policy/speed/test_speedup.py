"""Ratios of times with their intervals."""

from __future__ import annotations

import numpy as np
import pytest

from mpcheck.policy.speed.speedup import speedup


def test_a_ratio_is_that_of_the_undisturbed_halves() -> None:
    slow = [[2.0, 2.0, 2.0, 9.0], [4.0, 4.0, 4.0, 4.0]]
    fast = [[1.0, 1.0, 5.0, 1.0], [2.0, 2.0, 2.0, 2.0]]
    found = speedup(slow, fast)
    assert (found.ratio, found.low, found.high, found.launches) == (2.0, 2.0, 2.0, 2)
    assert speedup(fast, slow).ratio == 0.5


def test_launches_that_differ_widen_the_interval_and_rounds_that_differ_do_not() -> None:
    rng = np.random.default_rng(0)

    def times(mean: float) -> list[float]:
        return list(mean * (1 + 0.001 * rng.random(20)))

    steady = speedup([times(2.0) for _ in range(3)], [times(1.0) for _ in range(3)])
    uneven = speedup([times(2.0), times(2.4), times(1.7)], [times(1.0) for _ in range(3)])
    assert steady.high - steady.low < 0.01 < 0.5 < uneven.high - uneven.low
    assert uneven.low < 2.0 < uneven.high


@pytest.mark.parametrize("launches", [1, 3])
def test_the_interval_holds_the_true_ratio_about_as_often_as_it_says(launches: int) -> None:
    rng, held, runs = np.random.default_rng(1), 0, 200
    for run in range(runs):
        spread = 0.0 if launches == 1 else 0.05  # one launch cannot tell how launches differ
        effects = np.exp(spread * rng.standard_normal(launches))
        slow = [list(3.0 * e * np.exp(0.02 * rng.standard_normal(24))) for e in effects]
        fast = [list(np.exp(0.02 * rng.standard_normal(24))) for _ in effects]
        found = speedup(slow, fast, seed=run)
        held += found.low <= 3.0 <= found.high
    assert held / runs > 0.88  # 95 % less four binomial standard deviations of 200 runs, and what a bootstrap of few rounds lacks


@pytest.mark.parametrize(("slow", "fast"), [([], []), ([[1.0, 1.0]], []), ([[1.0]], [[1.0]]), ([[1.0, 2.0]], [[1.0, 2.0, 3.0]])])
def test_what_cannot_be_compared_is_refused(slow: list[list[float]], fast: list[list[float]]) -> None:
    with pytest.raises(ValueError, match="two or more rounds"):
        speedup(slow, fast)
