"""What no force between atoms can change, and that a change is seen."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from mpcheck.dynamics.observables.motion import angular_momentum, centre_of_mass, motion, total_momentum
from mpcheck.dynamics.trajectory import Trajectory
from tests.unit.dynamics.samples import Floats, trajectory, verlet

MASSES = np.array([1.0, 12.0, 16.0, 14.0])


def springs(x: Floats) -> Floats:
    """Central forces between all pairs, which keep momentum and angular momentum."""
    arms = x[:, None] - x[None]
    lengths = np.linalg.norm(arms, axis=-1, keepdims=True) + np.eye(len(x))[..., None]
    return -(5.0 * (lengths - 1.5) * arms / lengths).sum(axis=1)


def molecule(extra: Floats | float = 0.0) -> Trajectory:
    rng = np.random.default_rng(1)
    x, p = rng.standard_normal((4, 3)), rng.standard_normal((4, 3))
    p -= p.sum(axis=0) * (MASSES / MASSES.sum())[:, None]
    return trajectory(*verlet(x, p, MASSES, 400, 0.5, lambda y: springs(y) + extra), MASSES, 0.5)


def test_sound_forces_keep_everything() -> None:
    found = motion(molecule())
    assert max(found.momentum, found.momentum_change, found.centre_drift, found.angular_momentum_change) < 1e-12


def test_a_net_force_moves_the_whole() -> None:
    found = motion(molecule(extra=1e-3))
    assert found.momentum_change > 1e-3 and found.centre_drift > 1e-3
    assert found.momentum == pytest.approx(found.momentum_change)


def test_a_torque_turns_the_whole_and_means_nothing_in_a_cell() -> None:
    one = molecule()
    spin = np.cross(np.array([0, 0, 1.0]), one.positions - centre_of_mass(one)[:, None])
    turning = replace(one, momenta=one.momenta + np.linspace(0, 0.1, one.frames)[:, None, None] * MASSES[:, None] * spin)
    assert motion(turning).angular_momentum_change > 0.01 and np.allclose(total_momentum(turning), 0.0)
    flying = replace(one, positions=one.positions + 0.3 * np.arange(one.frames)[:, None, None], momenta=one.momenta + 0.5 * MASSES[:, None])
    assert angular_momentum(flying) == pytest.approx(angular_momentum(one)), "about the centre of mass, wherever that goes"
    periodic = replace(turning, pbc=np.array([True, False, False]))
    assert np.isnan(motion(periodic).angular_momentum_change)
    assert angular_momentum(one).shape == (401, 3)


def test_nothing_that_moves_is_no_division_by_zero() -> None:
    assert motion(replace(molecule(), momenta=np.zeros((401, 4, 3)))).momentum == 0.0
