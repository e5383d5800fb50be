"""What frames promise of a mean, and what is left beyond it."""

from __future__ import annotations

import numpy as np
import pytest
from ase import units

from mpcheck.dynamics.promised import Promised, promised, unexplained

RANDOM = np.random.default_rng(2)
X = RANDOM.standard_normal(4000)
"""Of a harmonic potential x²/2 kT."""
KT = units.kB * 300


def test_a_small_change_of_the_potential_moves_a_mean_by_its_covariance() -> None:
    found = promised(X, 0.1 * X * KT, 300.0, None, 100.0)
    assert found is not None and found.difference == pytest.approx(-0.1, abs=4 * found.error) and found.error < 0.01


def test_a_constant_moves_nothing_but_itself() -> None:
    found = promised(X, np.full(4000, 5.0), 300.0, np.full(4000, 5.0), 100.0)
    assert found == Promised(5.0, 0.0)


def test_where_the_change_is_large_its_own_mean_is_all_that_is_promised() -> None:
    change = 30 * KT * RANDOM.standard_normal(4000)
    found = promised(X, change, 300.0, change, 100.0)
    assert found is not None and abs(found.difference - change.mean()) < 1e-9


def test_few_frames_promise_nothing() -> None:
    assert promised(X[:10], X[:10], 300.0, None, 1.0) is None


@pytest.mark.parametrize(
    ("difference", "error", "by", "left"),
    [
        (10.0, 0.1, Promised(10.2, 0.1), 0.0), (10.0, 0.1, Promised(0.0, 0.1), 10.0), (10.0, 5.0, Promised(0.0, 0.1), 0.0),
        (0.5, 0.01, Promised(0.0, 0.0), 0.0), (125.0, 0.5, Promised(124.0, 0.2), 0.0), (25.0, 0.5, Promised(12.0, 0.2), 13.0),
    ],
)  # fmt: skip
def test_what_is_left(difference: float, error: float, by: Promised, left: float) -> None:
    assert unexplained(difference, error, by, 1.0) == left
