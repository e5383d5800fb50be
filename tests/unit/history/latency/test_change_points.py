"""Lasting changes are found, and what does not last is not."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt
import pytest

from mpcheck.history.latency.change_points import MIN_SIZE, shifts

KINDS = ("white", "heavy tails", "spikes", "autoregressive")

Noise = npt.NDArray[np.float64]


def noise(kind: str, length: int, rng: np.random.Generator) -> Noise:
    """Of about unit standard deviation."""
    white: Noise = rng.standard_normal(length)
    if kind == "heavy tails":
        return np.asarray(rng.standard_t(3, length) / np.sqrt(3))
    if kind == "spikes":
        white[rng.choice(length, max(1, length // 20), replace=False)] += rng.choice([-1, 1]) * rng.uniform(5, 25)
    if kind == "autoregressive":
        for i in range(1, length):
            white[i] = 0.3 * white[i - 1] + np.sqrt(1 - 0.3**2) * white[i]
    return white


@pytest.mark.parametrize(("level", "allowed"), [(0.015, 2), (0.04, 8)])
@pytest.mark.parametrize("kind", KINDS)
def test_unchanged_series_have_no_changes(kind: str, level: float, allowed: int) -> None:
    """250 of each kind at each level. At noise 1.5 %: at most 1 % of all; far above the margin, correlated noise passes more often."""
    rng = np.random.default_rng([7, KINDS.index(kind)])
    false = sum(bool(shifts(np.exp(level * noise(kind, int(rng.integers(10, 61)), rng)).tolist())) for _ in range(250))
    assert false <= allowed


def test_a_lasting_step_is_found() -> None:
    """5 % at noise 1.5 %, at least five points on each side: in 90 % of series, within two points, and its interval is honest."""
    rng = np.random.default_rng(8)
    near = covered = 0
    for _ in range(300):
        length = int(rng.integers(10, 61))
        place = int(rng.integers(5, length - 4))
        y = 0.015 * noise("white", length, rng)
        y[place:] += np.log(1.05)
        found = [s for s in shifts(np.exp(y).tolist()) if abs(s.index - place) <= 2]
        near += bool(found)
        covered += bool(found) and found[0].low <= np.log(1.05) <= found[0].high
    assert near >= 0.9 * 300
    assert covered >= 0.9 * near


def test_a_step_is_found_among_spikes() -> None:
    rng = np.random.default_rng(12)
    near = 0
    for _ in range(200):
        length = int(rng.integers(16, 61))
        place = int(rng.integers(8, length - 7))
        y = 0.015 * noise("spikes", length, rng)
        y[place:] += np.log(1.05)
        near += any(abs(s.index - place) <= 2 for s in shifts(np.exp(y).tolist()))
    assert near >= 0.92 * 200


def test_what_does_not_last_or_matter_is_no_change() -> None:
    rng = np.random.default_rng(9)
    y = np.exp(0.002 * rng.standard_normal(40))
    assert shifts(y.tolist()) == []
    assert shifts((y * np.where(np.arange(40) == 20, 1.5, 1.0)).tolist()) == []  # one point
    assert shifts((y * np.where(np.isin(np.arange(40), [20, 21]), 1.5, 1.0)).tolist()) == []  # two
    assert shifts((y * np.where(np.arange(40) < 20, 1.0, 1.015)).tolist()) == []  # certain, but within the margin
    assert len(shifts((y * np.where(np.arange(40) < 20, 1.0, 1.03)).tolist())) == 1
    assert shifts([1.0] * 30) == []
    assert shifts([1.0] * (2 * MIN_SIZE - 1)) == []
    assert [s.index for s in shifts([1.0] * 6 + [1.1] * 6)] == [6]  # without any noise
