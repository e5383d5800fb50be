"""Diffusion of random walks, whose coefficient is known."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from mpcheck.dynamics.observables.diffusion import diffusion, displacements, msd
from mpcheck.dynamics.trajectory import Trajectory
from tests.unit.dynamics.samples import trajectory


def walk(seed: int = 0, coefficient: float = 0.3, atoms: int = 60, frames: int = 400, offset: float = 0.0) -> Trajectory:
    rng = np.random.default_rng(seed)
    places = offset + np.cumsum(rng.standard_normal((frames, atoms, 3)) * np.sqrt(2 * coefficient * 0.1), axis=0)
    return trajectory(places, np.zeros_like(places), np.full(atoms, 18.0), timestep=1.0, every=100)


def test_displacements_are_those_of_the_plain_sum() -> None:
    x = walk(atoms=5, frames=40, offset=1e4).positions
    plain = [np.mean([((x[t + lag] - x[t]) ** 2).sum(axis=1).mean() for t in range(40 - lag)]) for lag in range(40)]
    assert displacements(x) == pytest.approx(plain, rel=1e-9, abs=1e-9)


def test_the_coefficient_is_found_within_its_error() -> None:
    found = [diffusion(walk(seed)) for seed in range(12)]
    values = np.array([one.coefficient for one in found])
    assert values.mean() == pytest.approx(0.3, rel=0.05)
    assert np.mean([one.error for one in found]) == pytest.approx(values.std(ddof=1), rel=0.6)
    assert (found[0].low_ps, found[0].high_ps, found[0].parts) == pytest.approx((1.0, 5.0, 4))


def test_motion_of_the_whole_is_no_diffusion() -> None:
    one = walk()
    flown = replace(one, positions=one.positions + 5.0 * one.time[:, None, None])
    assert diffusion(flown).coefficient == pytest.approx(diffusion(one).coefficient, rel=1e-9)


def test_some_atoms_alone() -> None:
    one = walk()
    still = one.positions.copy()
    still[:, 30:] = 0.0
    members = np.arange(60) < 30
    part = diffusion(replace(one, positions=still), members)
    assert part.coefficient == pytest.approx(0.3, rel=0.25) and msd(one, members)[1].shape == (400,)


def test_what_has_no_line_is_refused() -> None:
    with pytest.raises(ValueError, match="too few"):
        diffusion(walk(frames=12))
    with pytest.raises(ValueError, match="evenly"):
        msd(replace(walk(), time=walk().time ** 2))
    with pytest.raises(ValueError, match="window"):
        diffusion(walk(), window=(0.5, 0.2))
