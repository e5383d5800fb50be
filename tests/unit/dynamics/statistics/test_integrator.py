"""The square of the timestep, and what is not one."""

from __future__ import annotations

import numpy as np
import pytest
from ase import units

from mpcheck.dynamics.statistics.integrator import convergence
from mpcheck.dynamics.trajectory import Floats
from tests.unit.dynamics.samples import lattice_energy, lattice_forces, verlet

MASSES = np.tile([1.0, 12.0], 8)


def energies(timestep: float, noise: float = 0.0, length_fs: float = 1500.0) -> Floats:
    """[samples] eV of the lattice at 300 K, its forces with noise in eV/Å."""
    rng = np.random.default_rng(2)
    x, p = 0.05 * rng.standard_normal((16, 3)), rng.standard_normal((16, 3)) * np.sqrt(MASSES[:, None] * units.kB * 300)
    steps = round(length_fs / timestep)
    positions, momenta = verlet(x, p, MASSES, steps, timestep, lambda y: lattice_forces(y) + noise * rng.standard_normal(y.shape))
    every = max(1, round(1.0 / timestep))
    kinetic = (momenta**2 / MASSES[:, None]).sum(axis=(1, 2)) / 2
    return np.array([lattice_energy(y) for y in positions[::every]]) + kinetic[::every]


@pytest.fixture(scope="module")
def sound() -> dict[float, Floats]:
    return {step: energies(step) for step in (0.25, 0.5, 1.0)}


def test_a_symplectic_integrator_converges(sound: dict[float, Floats]) -> None:
    found = convergence(sound)
    assert found.deviation < 0.1 and found.order == pytest.approx(2.0, abs=0.05) and list(found.spreads) == [0.25, 0.5, 1.0]
    assert found.spreads[1.0] / found.spreads[0.5] == pytest.approx(4.0, rel=0.1)


def test_a_timestep_that_is_too_large_does_not(sound: dict[float, Floats]) -> None:
    found = convergence({1.0: sound[1.0], 4.0: energies(4.0)})
    assert found.order > 2.2 and found.deviation > 0.3 and found.sigmas > 3


def test_noise_of_forces_does_not(sound: dict[float, Floats]) -> None:
    noisy = convergence({step: energies(step, noise=0.01) for step in sound})
    assert noisy.order < 1.5 and noisy.deviation > 0.3 and noisy.sigmas > 3


def test_what_says_nothing_is_refused(sound: dict[float, Floats]) -> None:
    with pytest.raises(ValueError, match="two positive timesteps"):
        convergence({0.5: sound[0.5]})
    with pytest.raises(ValueError, match="not finite"):
        convergence({0.5: sound[0.5], 8.0: np.full(100, np.inf)})
    with pytest.raises(ValueError, match="does not fluctuate"):
        convergence({0.5: np.ones(100), 1.0: sound[1.0]})
