"""Whether positions move as the momenta say: what shows coordinates that are held too coarsely to be moved by a step.

Velocity Verlet gives ``r(t + dt) - r(t - dt) = 2 dt v(t)`` exactly, to rounding (Swope et al. 1982, doi:10.1063/1.442716), so three consecutive
frames of an NVE run test the increments without a model. Thermostats and barostats act in between; their residual is compared with that of
the float64 run in the same protocol.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from ase import units

from mpcheck.dynamics.trajectory import Floats, Integers, Trajectory

CLOSE = 1e-3
"""Relative distance of two frames' times from the timestep at which they still are consecutive; times are in ps and may be rounded."""


@dataclass(frozen=True)
class Steps:
    """How increments of positions follow momenta.

    Attributes:
        residual: root mean square of ``r(t+dt) - r(t-dt) - 2 dt v(t)`` over that of ``2 dt v(t)``; rounding only in NVE.
        still: fraction of coordinates that did not change at all from one step to the next although their momentum was not zero.
        narrow: fraction of coordinates that are numbers of 24 significant bits; 2⁻²⁹ by chance where they are float64.
        triples: of frames that were looked at.
    """

    residual: float
    still: float
    narrow: float
    triples: int


def consecutive(trajectory: Trajectory) -> Integers:
    """Middle frames of three at consecutive steps."""
    step = trajectory.timestep_fs * 1e-3
    near = np.abs(np.diff(trajectory.time) / step - 1.0) < CLOSE
    return np.asarray(np.flatnonzero(near[:-1] & near[1:]) + 1, dtype=np.int64)


def steps(trajectory: Trajectory) -> Steps:
    """See :class:`Steps`.

    Raises:
        ValueError: no three frames at consecutive steps, or nothing moves.
    """
    middle = consecutive(trajectory)
    if len(middle) == 0:
        raise ValueError("no three frames at consecutive steps; store some every step")
    before, after = trajectory.positions[middle - 1], trajectory.positions[middle + 1]
    expected = 2.0 * trajectory.timestep_fs * units.fs * trajectory.velocities[middle]
    size = _rms(expected)
    if size == 0.0:
        raise ValueError("nothing moves: all momenta are zero")
    moves = np.abs(trajectory.momenta[middle]) > 0
    unmoved = (trajectory.positions[middle] == before) & moves
    positions = trajectory.positions
    with np.errstate(over="ignore"):  # what no narrow number can hold is none
        narrow = positions == positions.astype(np.float32)
    return Steps(_rms(after - before - expected) / size, float(unmoved.mean()), float(narrow[positions != 0.0].mean()), len(middle))


def _rms(values: Floats) -> float:
    return float(np.sqrt(np.mean(values**2)))
