"""Total momentum, where the centre of mass goes, and angular momentum: what no force between atoms can change."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from mpcheck.dynamics.trajectory import Floats, Trajectory


@dataclass(frozen=True)
class Motion:
    """Motion of a system as a whole.

    Attributes:
        momentum: largest |P| of a frame over √(Σp²) of all atoms: 0 where the centre of mass is at rest, √N where all fly together.
        momentum_change: largest |P - P at the start| by the same measure.
        centre_drift: Å between the centres of mass of the first frame and the one farthest from it.
        angular_momentum_change: largest |L - L at the start| over Σ|r × p| about the centre of mass; NaN with any periodicity, where L is
            not conserved.
    """

    momentum: float
    momentum_change: float
    centre_drift: float
    angular_momentum_change: float


def centre_of_mass(trajectory: Trajectory) -> Floats:
    """[frames, 3] Å."""
    weights = trajectory.masses / trajectory.masses.sum()
    return np.asarray(np.einsum("fac,a->fc", trajectory.positions, weights), dtype=np.float64)


def total_momentum(trajectory: Trajectory) -> Floats:
    """[frames, 3] in ASE's units."""
    return np.asarray(trajectory.momenta.sum(axis=1), dtype=np.float64)


def angular_momentum(trajectory: Trajectory) -> Floats:
    """[frames, 3] about the centre of mass, in ASE's units times Å."""
    return np.asarray(_moments(trajectory).sum(axis=1), dtype=np.float64)


def _moments(trajectory: Trajectory) -> Floats:
    arms = trajectory.positions - centre_of_mass(trajectory)[:, None]
    return np.cross(arms, trajectory.momenta)


def _largest(vectors: Floats) -> float:
    return float(np.linalg.norm(vectors, axis=-1).max())


def motion(trajectory: Trajectory) -> Motion:
    """See :class:`Motion`. A system without any motion has zeros."""
    momenta = total_momentum(trajectory)
    scale = float(np.sqrt((trajectory.momenta**2).sum(axis=(1, 2))).max()) or 1.0
    centres = centre_of_mass(trajectory)
    turned = np.nan
    if not trajectory.pbc.any():
        moments = angular_momentum(trajectory)
        turned = _largest(moments - moments[0]) / (float(np.linalg.norm(_moments(trajectory), axis=-1).sum(axis=1).max()) or 1.0)
    return Motion(_largest(momenta) / scale, _largest(momenta - momenta[0]) / scale, _largest(centres - centres[0]), float(turned))
