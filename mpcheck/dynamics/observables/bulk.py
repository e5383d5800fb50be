"""Density, pressure and stress of periodic systems."""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np
from ase import units

from mpcheck.dynamics.observables.thermal import kinetic_energy
from mpcheck.dynamics.trajectory import Floats, Trajectory

GRAMS_PER_CUBIC_CM: float = 1e24 * units._amu * 1e3
"""Of one amu per Å³."""


def volume(trajectory: Trajectory) -> Floats:
    """[frames] Å³; NaN where not all directions are periodic."""
    if not trajectory.periodic:
        return np.full(trajectory.frames, np.nan)
    return np.asarray(np.abs(np.linalg.det(trajectory.cell)), dtype=np.float64)


def density(volumes: Floats, masses: Floats) -> Floats:
    """[frames] g/cm³ of volumes in Å³ and masses in amu: M/V."""
    return float(masses.sum()) * GRAMS_PER_CUBIC_CM / volumes


def pressure(trajectory: Trajectory) -> Floats:
    """[frames] GPa: -tr(stress)/3, the kinetic part 2K/(3V) included, as ASE's ``get_stress(include_ideal_gas=True)`` has it.

    NaN where there is no stress or no volume.
    """
    virial = -trajectory.stress[:, :3].mean(axis=1)
    kinetic = 2.0 * kinetic_energy(trajectory.momenta, trajectory.masses) / (3.0 * volume(trajectory))
    return np.asarray((virial + kinetic) / units.GPa, dtype=np.float64)


def stress_gpa(trajectory: Trajectory) -> Floats:
    """[frames, 6] GPa, without its kinetic part, tension positive."""
    return trajectory.stress / float(units.GPa)


@dataclass(frozen=True)
class Monitored:
    """What is reported of a bulk quantity that a thermostat or barostat holds at a target.

    Attributes:
        mean, spread: over the samples, the spread with n - 1.
        deviation: mean less target; NaN without a target.
        p95: 95th percentile of the distances from the target.
    """

    mean: float
    spread: float
    deviation: float = math.nan
    p95: float = math.nan


def monitored(values: Floats, target: float | None = None) -> Monitored:
    """Mean, standard deviation and 95th percentile of deviations of a density, pressure or temperature.

    Raises:
        ValueError: fewer than two samples.
    """
    if len(values) < 2:
        raise ValueError("a spread needs two samples")
    mean, spread = float(values.mean()), float(values.std(ddof=1))
    if target is None:
        return Monitored(mean, spread)
    return Monitored(mean, spread, mean - target, float(np.percentile(np.abs(values - target), 95)))
