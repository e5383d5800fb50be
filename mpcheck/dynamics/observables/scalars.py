"""Scalars of frames, for runs that did not sample them more often."""

from __future__ import annotations

import numpy as np

from mpcheck.dynamics.observables.bulk import pressure, volume
from mpcheck.dynamics.observables.motion import angular_momentum, total_momentum
from mpcheck.dynamics.observables.thermal import kinetic_energy, temperature
from mpcheck.dynamics.trajectory import Series, Trajectory


def scalars(trajectory: Trajectory, freedom: float) -> Series:
    """The trajectory's own series, or what its frames give.

    Args:
        freedom: degrees of freedom, by which temperatures of frames are taken; see
            :func:`~mpcheck.dynamics.observables.thermal.degrees_of_freedom`.
    """
    if trajectory.series is not None:
        return trajectory.series
    kinetic = kinetic_energy(trajectory.momenta, trajectory.masses)
    turning = np.full(trajectory.frames, np.nan)
    if not trajectory.pbc.any():
        turning = np.linalg.norm(angular_momentum(trajectory), axis=1)
    return Series(
        time=trajectory.time,
        potential_energy=trajectory.energy,
        kinetic_energy=kinetic,
        temperature=temperature(kinetic, freedom),
        volume=volume(trajectory),
        pressure=pressure(trajectory),
        momentum=np.linalg.norm(total_momentum(trajectory), axis=1),
        angular_momentum=turning,
        largest_force=trajectory.largest_force,
    )
