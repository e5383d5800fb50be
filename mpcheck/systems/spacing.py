"""Distances of a frame, told cheaply: before a neighbour list is built, which takes memory for every bin, image and edge.

Atoms are sorted into cubes and k-d trees, whose size is that of the frame. Nothing here grows with how dense or how large it is, nor with how
skew its cell is: lattices are reduced first.
"""

from __future__ import annotations

import numpy as np
import numpy.typing as npt
from ase import Atoms
from ase.geometry import minkowski_reduce
from scipy.spatial import cKDTree

Floats = npt.NDArray[np.float64]
IMAGES = 2_000_000  # atoms with their periodic images, up to which edges are counted; beyond, they are estimated from the density
DEPENDENT = 1e-9  # volume of vectors in units of the product of their lengths, from which on they span nothing


def spans(cell: Floats) -> float:
    """Volume of vectors [n, 3] in units of the product of their lengths: 1 where they are orthogonal, 0 where they are dependent."""
    lengths = np.linalg.norm(cell, axis=1)
    return float(np.prod(np.linalg.svd(cell / lengths[:, None], compute_uv=False))) if lengths.all() else 0.0


def lattice(frame: Atoms) -> Floats:
    """The shortest vectors of the frame's lattice (Minkowski-reduced), in place of the periodic ones; orthonormal ones in place of the others.

    Raises:
        RuntimeError: the reduction does not end; the periodic vectors must be independent.
    """
    cell = np.where(frame.pbc[:, None], np.asarray(frame.cell.array, dtype=np.float64), 0.0)
    periodic = np.flatnonzero(frame.pbc)
    if periodic.size == 1:
        reduced = cell
    elif periodic.size:
        reduced, _ = minkowski_reduce(cell, pbc=frame.pbc)
    else:
        return np.eye(3)
    complement = np.linalg.svd(reduced[periodic])[2][periodic.size :]
    made: Floats = np.array(reduced, dtype=np.float64)
    made[np.flatnonzero(~frame.pbc)] = complement
    return made


def heights(frame: Atoms) -> Floats:
    """Distances of opposite faces of the reduced cell along its three vectors, Å; infinite along those that are not periodic."""
    return np.asarray(np.where(frame.pbc, _heights(lattice(frame)), np.inf))


def _heights(cell: Floats) -> Floats:
    faces = np.array([np.linalg.norm(np.cross(cell[(i + 1) % 3], cell[(i + 2) % 3])) for i in range(3)])
    return np.asarray(abs(np.linalg.det(cell)) / np.maximum(faces, 1e-300))


def _fractions(frame: Atoms, cell: Floats) -> Floats:
    """Positions in units of the reduced cell, within it along periodic vectors."""
    fractions = np.linalg.solve(cell.T, np.asarray(frame.positions, dtype=np.float64).T).T
    return np.asarray(np.where(frame.pbc, fractions % 1.0, fractions))


def _with_images(frame: Atoms, reach: float) -> tuple[Floats, npt.NDArray[np.int64]]:
    """Positions of all atoms and of their periodic images within ``reach`` Å of the cell, and whose image each is."""
    cell = lattice(frame)
    fractions, owners = _fractions(frame, cell), np.arange(len(frame))
    for axis, height in enumerate(np.where(frame.pbc, _heights(cell), np.inf)):
        if not np.isfinite(height):
            continue
        margin = reach / height
        parts, whose = [], []
        for shift in range(-int(np.ceil(margin)), int(np.ceil(margin)) + 1):
            moved = fractions[:, axis] + shift
            near = (moved >= -margin) & (moved <= 1.0 + margin)
            part = fractions[near]
            part[:, axis] += shift
            parts.append(part)
            whose.append(owners[near])
        fractions, owners = np.concatenate(parts), np.concatenate(whose)
    return fractions @ cell, owners


def images(frame: Atoms, reach: float) -> float:
    """About how many atoms :func:`_with_images` would have to make."""
    return float(len(frame) * np.prod(1.0 + 2.0 * reach / heights(frame)))


def coincident(frame: Atoms, closest: float) -> tuple[int, int] | None:
    """A pair of atoms nearer than ``closest`` Å, periodic images included; None where there is none.

    The shortest lattice vector must be at least that long. Crowded frames are found out before images are made of them, so that these are
    no more than fit around the cell.
    """
    cell = lattice(frame)
    inside = _fractions(frame, cell) @ cell
    own = np.arange(len(frame))
    return _pair(inside, own, closest) or (_pair(*_with_images(frame, closest), closest) if frame.pbc.any() else None)


def _pair(positions: Floats, owners: npt.NDArray[np.int64], closest: float) -> tuple[int, int] | None:
    cubes = np.floor(positions * (np.sqrt(3.0) / closest)).astype(np.int64)  # whoever shares one is nearer than that
    order = np.lexsort(cubes.T)
    same = np.flatnonzero((cubes[order][1:] == cubes[order][:-1]).all(axis=1))
    if len(same):
        first, second = owners[order[same[0]]], owners[order[same[0] + 1]]
        return int(min(first, second)), int(max(first, second))
    pairs = cKDTree(positions).query_pairs(closest, output_type="ndarray")  # an atom has at most a few dozen such neighbours by now
    if not len(pairs):
        return None
    first, second = owners[pairs[np.lexsort(pairs.T[::-1])[0]]]
    return int(min(first, second)), int(max(first, second))


def edges(frame: Atoms, r_max: float) -> float:
    """How many ordered pairs of atoms are within ``r_max`` Å: exact for ordinary frames, from the mean density for huge ones."""
    cell = lattice(frame)
    if images(frame, r_max) > IMAGES:
        extents = np.ptp(_fractions(frame, cell), axis=0) + r_max  # along vectors that are not periodic, which have unit length
        volume = abs(np.linalg.det(cell)) * float(np.prod(np.where(frame.pbc, 1.0, extents)))
        return float(len(frame) ** 2 * 4.19 * r_max**3 / max(volume, 1e-9))
    own, every = cKDTree(_fractions(frame, cell) @ cell), cKDTree(_with_images(frame, r_max)[0])
    return float(own.count_neighbors(every, r_max)) - len(frame)


def searched(frame: Atoms, r_max: float) -> Floats:
    """The cell that upstream's neighbour list searches: along vectors that are not periodic it takes the Cartesian axis of that number, as long
    as ``5 r_max`` times the largest coordinate (mace.data.neighborhood).
    """
    longest = (float(np.abs(frame.positions).max()) + 1.0) * 5.0 * r_max
    return np.asarray(np.where(frame.pbc[:, None], np.asarray(frame.cell.array, dtype=np.float64), longest * np.eye(3)))


def bins(frame: Atoms, r_max: float) -> float:
    """How many bins upstream's neighbour list sorts atoms into, a number of memory for each."""
    return float(np.prod(np.maximum(_heights(searched(frame, r_max)) / r_max, 1.0)))


def visits(frame: Atoms, r_max: float) -> float:
    """About how many bins upstream's neighbour list looks into, of all atoms together: many where faces of its cell are close to each other.

    Measured: a million a second in cells that are flat along several vectors; along one, a 25th of the square.
    """
    near = np.where(frame.pbc, 1.0 + 2.0 * r_max / np.maximum(_heights(searched(frame, r_max)), 1e-300), 3.0)
    return float(len(frame) * max(np.prod(near), near.max() ** 2 / 25.0))
