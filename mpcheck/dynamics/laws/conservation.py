"""What exact dynamics conserves: energy to the square of the time step, the momentum of the whole, its turning where nothing is periodic."""

from __future__ import annotations

import math

import numpy as np
from ase import units

from mpcheck.dynamics.laws.law import Law
from mpcheck.dynamics.statistics.integrator import convergence
from mpcheck.dynamics.trajectory import Floats, Trajectory

WIDEST = 0.2
"""Of the kinetic energy's standard deviation: fluctuations of the total energy beyond it mean a time step that is too large (Allen and Tildesley,
Computer Simulation of Liquids, §3.2, has a fifth)."""
ORDER, SIGMAS = 0.5, 4.0
"""How far the order may be from 2, and standard errors on top: over a few periods the error of a fluctuation's size is itself uncertain."""
PUSH = 5.0
"""Times what the policy's force errors may push the whole by, if they all pointed one way all the time."""


def fluctuation(conserved: Floats, kinetic: Floats) -> Law:
    """Of the total energy [samples] eV beside that of the kinetic energy."""
    ratio = float(conserved.std() / kinetic.std()) if kinetic.std() > 0 else math.inf
    wrong = not ratio <= WIDEST
    told = (
        f"the total energy fluctuates by {ratio:.2g} of what the kinetic energy does, {WIDEST:g} at most: the time step is too large" if wrong else ""
    )
    return Law("energy fluctuation", "broken" if wrong else "holds", "of kinetic", ratio, 0.0, reason=told)


def order(conserved: Floats, halved: Floats, timestep_fs: float) -> Law:
    """Of the total energy's fluctuations [samples] eV at a time step and at half of it: they must be as its square."""
    length = min(len(conserved), len(halved))
    found = convergence({timestep_fs: conserved, timestep_fs / 2: halved}) if length >= 8 else None
    if found is None:
        return Law("order of the integrator", "cannot tell", reason="fewer than eight samples")
    wrong = abs(found.order - 2.0) > ORDER + SIGMAS * found.error
    told = f"fluctuations of the total energy go with the time step to the power {found.order:.2f} ± {found.error:.2f} instead of 2" if wrong else ""
    return Law("order of the integrator", "broken" if wrong else "holds", "", found.order, 2.0, found.error, reason=told)


def momentum(trajectory: Trajectory, force_error: float) -> Law:
    """How far the momentum of the whole has gone, in units of what thermal motion has.

    Args:
        force_error: eV/Å, RMS of a component, of the policy against float64.
    """
    masses, time = trajectory.masses, float(trajectory.time[-1] - trajectory.time[0]) * 1e3 * units.fs
    thermal = math.sqrt(float(2 * masses.sum() * _kinetic(trajectory) / (3 * len(masses)) * 3))
    moved = float(np.linalg.norm(trajectory.momenta[-1].sum(axis=0) - trajectory.momenta[0].sum(axis=0)))
    allowed = PUSH * (force_error * math.sqrt(3 * len(masses)) + 1e-12 * len(masses)) * time
    wrong = not moved <= allowed
    told = f"the momentum of the whole changes by {moved / thermal:.2g} of a thermal one, {allowed / thermal:.2g} at most" if wrong else ""
    return Law("momentum", "broken" if wrong else "holds", "of thermal", moved / thermal, 0.0, reason=told)


def _kinetic(trajectory: Trajectory) -> float:
    """Mean kinetic energy, eV."""
    return float((trajectory.momenta**2).sum(axis=2).mean(axis=0) @ (0.5 / trajectory.masses))


def angular_momentum(trajectory: Trajectory, force_error: float) -> Law | None:
    """The same of turning; None where something is periodic, which conserves none."""
    if trajectory.pbc.any():
        return None
    masses, time = trajectory.masses, float(trajectory.time[-1] - trajectory.time[0]) * 1e3 * units.fs
    centred = trajectory.positions - np.einsum("fac,a->fc", trajectory.positions, masses / masses.sum())[:, None]
    turning = np.cross(centred, trajectory.momenta).sum(axis=1)
    size = float(np.sqrt((centred**2).sum(axis=(1, 2)).mean()))
    thermal = size * math.sqrt(2 * _kinetic(trajectory) * float(masses.mean()) / (3 * len(masses)))
    moved = float(np.linalg.norm(turning[-1] - turning[0]))
    # the propagator itself turns by rounding of float64 alone; forces that are not invariant turn by their error
    allowed = PUSH * (force_error + 1e-12) * size * math.sqrt(3.0) * time
    wrong = not moved <= allowed
    told = f"the angular momentum changes by {moved / thermal:.2g} of a thermal one, {allowed / thermal:.2g} at most" if wrong else ""
    return Law("angular momentum", "broken" if wrong else "holds", "of thermal", moved / thermal, 0.0, reason=told)
