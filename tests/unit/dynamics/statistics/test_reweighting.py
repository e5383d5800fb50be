"""Shifts that a static error predicts, against those that it has."""

from __future__ import annotations

import numpy as np
import pytest
from ase import units

from mpcheck.dynamics.statistics.reweighting import explained, shift
from mpcheck.dynamics.trajectory import Floats
from tests.unit.dynamics.samples import autoregressive

KELVIN, ATOMS, SPRING = 300.0, 10, 2.0
KT = units.kB * KELVIN


def squares(seed: int, spring: float = SPRING, frames: int = 3000, tau: float = 4.0) -> Floats:
    """[frames] Å², the sum of squared displacements of oscillators that remember their places for some frames."""
    rng = np.random.default_rng(seed)
    spread = np.sqrt(KT / spring)
    return np.sum([autoregressive(rng, frames, tau, spread=spread) ** 2 for _ in range(3 * ATOMS)], axis=0)


def test_a_stiffer_spring_predicts_its_own_shift_with_its_error() -> None:
    """ΔU = 1 % of the spring: <Σx²> = 30 kT/k falls by 1 %, to first order."""
    exact = 3 * ATOMS * KT / SPRING
    found = [shift(x, 0.5 * 0.01 * SPRING * x + 7.0, KELVIN) for x in map(squares, range(40))]
    values = np.array([one.first for one in found])
    assert values.mean() == pytest.approx(-0.01 * exact, rel=0.03)
    assert np.mean([one.error for one in found]) == pytest.approx(values.std(ddof=1), rel=0.4)
    assert found[0].full == pytest.approx(exact / 1.01 - exact, rel=0.15) and found[0].overlap > 0.99 and found[0].reliable


def test_the_energy_itself_moves_by_its_own_change_too() -> None:
    """U of harmonic oscillators is 15 kT whatever the spring: change of the function and shift of the frames cancel."""
    x = squares(1)
    change = 0.5 * 0.01 * SPRING * x
    found = shift(0.5 * SPRING * x, change, KELVIN, own_change=change)
    assert abs(found.first) < 3 * found.error + 1e-4 and found.error < 0.1 * 0.15 * KT
    offset = shift(0.5 * SPRING * x, np.full_like(x, 0.3), KELVIN, own_change=np.full_like(x, 0.3))
    assert offset.first == pytest.approx(0.3) and offset.full == pytest.approx(0.3) and offset.overlap == pytest.approx(1.0)


def test_a_difference_that_is_static_is_explained_and_another_is_not() -> None:
    x = squares(2)
    by = shift(x, 0.5 * 0.02 * SPRING * x, KELVIN)
    measured = squares(3, spring=1.02 * SPRING, frames=20_000).mean() - squares(4, frames=20_000).mean()
    error = x.std() * np.sqrt(2 * 4 / 20_000)
    assert explained(measured, error, by)
    assert not explained(-measured, error, by) and not explained(5 * measured, error, by)
    nothing = shift(x, 1e-3 * np.random.default_rng(5).standard_normal(len(x)), KELVIN)
    assert not explained(0.0, error, nothing), "where nothing is predicted nothing is explained"


def test_a_change_too_large_for_first_order_is_not_relied_on() -> None:
    x = squares(6)
    large = shift(x, 0.5 * 1.5 * SPRING * x, KELVIN)
    assert not large.reliable and large.overlap < 0.2 and not explained(large.first, 1.0, large)


def test_what_is_no_prediction_is_refused() -> None:
    with pytest.raises(ValueError, match="40 frames"):
        shift(np.ones(39), np.ones(39), KELVIN)
    with pytest.raises(ValueError, match="40 frames"):
        shift(np.ones(50), np.full(50, np.nan), KELVIN)
    with pytest.raises(ValueError):
        shift(np.ones(50), np.ones(49), KELVIN)
