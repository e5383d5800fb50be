"""Pair distances: radial distribution functions of periodic systems, histograms of molecules, within and between molecules."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from ase.data import covalent_radii
from ase.geometry import complete_cell
from matscipy.neighbours import neighbour_list
from scipy.sparse import coo_array
from scipy.sparse.csgraph import connected_components

from mpcheck.dynamics.observables.bulk import volume
from mpcheck.dynamics.trajectory import Booleans, Floats, Integers, Trajectory

BOND = 1.25
"""Bonds reach so many times the sum of two covalent radii."""


@dataclass(frozen=True, eq=False)
class Pairs:
    """Pair distances of two kinds of atoms.

    Attributes:
        r: [bins] Å, centres.
        g: [bins]: the radial distribution function, 1 for independent atoms; without a volume pairs per frame and Å.
        error: [bins] standard error between parts of the run.
        normalised: whether it is the former.
    """

    r: Floats
    g: Floats
    error: Floats
    normalised: bool

    def peak(self) -> tuple[float, float]:
        """Place in Å and height of the highest bin, refined by a parabola through its neighbours."""
        at = int(np.argmax(self.g))
        if not 0 < at < len(self.g) - 1:
            return float(self.r[at]), float(self.g[at])
        left, middle, right = (float(value) for value in self.g[at - 1 : at + 2])
        bend = left - 2.0 * middle + right
        shift = 0.5 * (left - right) / bend if bend else 0.0
        return float(self.r[at] + shift * (self.r[1] - self.r[0])), middle - 0.25 * (left - right) * shift


@dataclass(frozen=True)
class Likeness:
    """How far two distributions are apart.

    Attributes:
        score: ∫|g - g'| over ∫(g + g'), 0 where they are one and 1 where they do not overlap.
        noise: what chance alone makes of it, by the errors of both.
    """

    score: float
    noise: float


def likeness(one: Pairs, other: Pairs) -> Likeness:
    """Compare two distributions with the same bins.

    Raises:
        ValueError: other bins, another normalisation, or no pair on either side.
    """
    if one.r.shape != other.r.shape or not np.allclose(one.r, other.r) or one.normalised != other.normalised:
        raise ValueError("two distributions are compared bin by bin; these have other bins or another normalisation")
    both = float((one.g + other.g).sum())
    if both == 0.0:
        raise ValueError("there is no pair within reach")
    expected = np.sqrt(2.0 / np.pi) * np.hypot(one.error, other.error)  # of the absolute value of a normal difference
    return Likeness(float(np.abs(one.g - other.g).sum()) / both, float(expected.sum()) / both)


def coordination(trajectory: Trajectory, reach: float, first: Booleans | None = None, second: Booleans | None = None) -> Floats:
    """[frames]: mean number of atoms of the second kind within ``reach`` Å of one of the first; a structure as a series that can be compared.

    Raises:
        ValueError: no atom of the first kind.
    """
    every = np.ones(trajectory.atoms, dtype=np.bool_)
    one, other = every if first is None else first, every if second is None else second
    if not one.any():
        raise ValueError("there is no atom of the first kind")
    lists = (_list(trajectory, frame, reach) for frame in range(trajectory.frames))
    return np.array([float((one[i] & other[j]).sum()) for i, j, _ in lists]) / float(one.sum())


def molecules(trajectory: Trajectory, bond: float = BOND) -> Integers:
    """[atoms], the molecule of each in the first frame: atoms that are joined by bonds, counted from 0."""
    frame = _list(trajectory, 0, bond * 2.0 * float(covalent_radii[trajectory.numbers].max()))
    radii = covalent_radii[trajectory.numbers]
    first, second, distance = frame
    bonded = distance < bond * (radii[first] + radii[second])
    size = (trajectory.atoms, trajectory.atoms)
    _, labels = connected_components(coo_array((np.ones(int(bonded.sum())), (first[bonded], second[bonded])), shape=size), directed=False)
    return np.asarray(labels, dtype=np.int64)


def _list(trajectory: Trajectory, frame: int, cutoff: float) -> tuple[Integers, Integers, Floats]:
    """Ordered pairs of different atoms with all images, and their distances: matscipy's list is right beyond half the cell too."""
    positions = trajectory.positions[frame]
    cell = complete_cell(trajectory.cell[frame]) if trajectory.pbc.any() else np.diag(np.ptp(positions, axis=0) + 1.0)
    first, second, distance = neighbour_list("ijd", positions=positions, cell=cell, pbc=trajectory.pbc, cutoff=cutoff)
    other = first != second  # an atom's own images lie where the cell puts them
    return first[other], second[other], distance[other]


def pair_distances(
    trajectory: Trajectory,
    reach: float,
    bins: int = 200,
    first: Booleans | None = None,
    second: Booleans | None = None,
    labels: Integers | None = None,
    within: bool = False,
    parts: int = 5,
) -> Pairs:
    """Distances up to ``reach`` Å, of all atoms or of two kinds.

    Normalised by the density of *other* atoms, N_b - 1 where the kinds are one, so that independent atoms give 1 at every distance.

    Args:
        first, second: [atoms], the two kinds; None for all.
        labels: [atoms] molecules; pairs of two of them are counted, or with ``within`` those of one, up to half the cell's smallest width.
        parts: of the run, for the error.

    Raises:
        ValueError: no pair is possible, or fewer frames than parts.
    """
    if trajectory.frames < parts or parts < 2:
        raise ValueError(f"{trajectory.frames} frames are fewer than {parts} parts")
    every = np.ones(trajectory.atoms, dtype=np.bool_)
    one, other = every if first is None else first, every if second is None else second
    possible = float(one.sum() * other.sum() - (one & other).sum())
    if possible <= 0:
        raise ValueError("there is no pair of these atoms")
    edges = np.linspace(0.0, reach, bins + 1)
    counts = np.zeros((trajectory.frames, bins))
    for frame in range(trajectory.frames):
        i, j, distance = _list(trajectory, frame, reach)
        kept = one[i] & other[j]
        if labels is not None:
            same = (labels[i] == labels[j]) & (distance < _half_width(trajectory, frame))
            kept &= same if within else ~same
        counts[frame] = np.histogram(distance[kept], edges)[0]
    if trajectory.periodic:
        shells = 4.0 / 3.0 * np.pi * np.diff(edges**3)
        counts *= volume(trajectory)[:, None] / (possible * shells)
    else:
        counts /= np.diff(edges)
    means = np.array([part.mean(axis=0) for part in np.array_split(counts, parts)])
    error = means.std(axis=0, ddof=1) / np.sqrt(parts)
    return Pairs(0.5 * (edges[1:] + edges[:-1]), counts.mean(axis=0), error, trajectory.periodic)


def _half_width(trajectory: Trajectory, frame: int) -> float:
    """Half the smallest distance between two periodic faces, in Å."""
    if not trajectory.pbc.any():
        return np.inf
    heights = 1.0 / np.linalg.norm(np.linalg.pinv(trajectory.cell[frame]), axis=0)
    return 0.5 * float(heights[trajectory.pbc].min())
