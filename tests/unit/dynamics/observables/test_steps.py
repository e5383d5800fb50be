"""Positions move as momenta say; those held too coarsely do not."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
from ase import units
from ase.build import bulk
from ase.calculators.emt import EMT
from ase.md.verlet import VelocityVerlet

from mpcheck.dynamics.observables.motion import motion
from mpcheck.dynamics.observables.steps import consecutive, steps
from mpcheck.dynamics.trajectory import Trajectory
from tests.unit.dynamics.samples import Floats, lattice_forces, trajectory, verlet

MASSES = np.tile([1.0, 12.0], 8)


def lattice(offset: float = 0.0, narrow: bool = False, timestep: float = 0.5) -> Trajectory:
    """A lattice at 300 K whose places lie far from the origin, its positions held in float64 or in float32."""
    rng = np.random.default_rng(5)
    places = offset + rng.uniform(0, 20, (16, 3))
    p = rng.standard_normal((16, 3)) * np.sqrt(MASSES[:, None] * units.kB * 300)

    def held(x: Floats) -> Floats:
        return x.astype(np.float32).astype(np.float64) if narrow else x

    x, dt = held(places + 0.05 * rng.standard_normal((16, 3))), timestep * units.fs
    positions, momenta = [x], [p]
    for _ in range(200):
        p = p + 0.5 * dt * lattice_forces(x - places)
        x = held(x + dt * p / MASSES[:, None])
        p = p + 0.5 * dt * lattice_forces(x - places)
        positions.append(x)
        momenta.append(p)
    return trajectory(np.array(positions), np.array(momenta), MASSES, timestep)


@pytest.mark.parametrize("timestep", [0.5, 2.0])
def test_velocity_verlet_is_exact_whatever_its_timestep(timestep: float) -> None:
    found = steps(lattice(1e4, timestep=timestep))
    assert found.residual < 1e-9 and found.still == 0.0 and found.narrow < 1e-2 and found.triples == 199


def test_positions_in_float32_far_away_are_seen() -> None:
    found = steps(lattice(1e4, narrow=True))
    assert found.residual > 0.03 and found.still > 0.02 and found.narrow == 1.0
    near = steps(lattice(0.0, narrow=True))
    assert near.narrow == 1.0 and near.residual < found.residual / 100, "near the origin they hold, and are still told from float64"


def test_a_wrong_unit_of_mass_or_time_is_seen() -> None:
    one = lattice()
    assert steps(replace(one, masses=one.masses * 1.66)).residual > 0.3
    assert steps(replace(one, momenta=one.momenta * 0.98)).residual == pytest.approx(0.02, rel=0.05)


def test_frames_must_be_consecutive_and_something_must_move() -> None:
    one = lattice()
    sparse = replace(one, time=one.time * 5)
    assert len(consecutive(sparse)) == 0
    with pytest.raises(ValueError, match="consecutive steps"):
        steps(sparse)
    with pytest.raises(ValueError, match="nothing moves"):
        steps(replace(one, momenta=np.zeros_like(one.momenta)))


def test_some_frames_may_be_apart() -> None:
    one = lattice()
    kept = np.r_[0:3, 50:53, 100]
    some = trajectory(one.positions[kept], one.momenta[kept], MASSES, 0.5)
    some = replace(some, time=one.time[kept])
    assert consecutive(some).tolist() == [1, 4] and steps(some).residual < 1e-9


def test_ases_own_integrator_and_units() -> None:
    """Copper by EMT: the units of momenta, and that ASE moves positions by them."""
    atoms = bulk("Cu", cubic=True) * (2, 2, 2)
    atoms.calc = EMT()
    atoms.set_momenta(np.random.default_rng(0).standard_normal((32, 3)) * np.sqrt(63.5 * units.kB * 300))
    positions, momenta = [], []

    def look() -> None:
        positions.append(atoms.get_positions())
        momenta.append(atoms.get_momenta())

    dynamics = VelocityVerlet(atoms, 2.0 * units.fs)
    dynamics.attach(look)
    dynamics.run(20)
    one = trajectory(np.array(positions), np.array(momenta), atoms.get_masses(), 2.0, cell=float(atoms.cell[0, 0]))
    assert steps(one).residual < 1e-9 and motion(one).centre_drift > 0.01, "which nobody had stopped"


def test_the_lattice_is_one() -> None:
    x, p = verlet(np.full((16, 3), 0.1) * np.arange(16)[:, None] % 0.3, np.zeros((16, 3)), MASSES, 10, 0.1)
    assert x.shape == p.shape == (11, 16, 3)
