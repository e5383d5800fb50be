"""Distances of a frame, told cheaply: before a neighbour list is built, which takes memory for every bin, image and edge.

Atoms are sorted into cubes and k-d trees, whose size is that of the frame; nothing here grows with how dense or how large it is.
"""

from __future__ import annotations

import numpy as np
import numpy.typing as npt
from ase import Atoms
from scipy.spatial import cKDTree

Floats = npt.NDArray[np.float64]
IMAGES = 2_000_000  # atoms with their periodic images, up to which edges are counted; beyond, they are estimated from the density


def heights(frame: Atoms) -> Floats:
    """Distances of opposite faces of the cell along its three vectors, Å; infinite along those that are not periodic."""
    if not frame.pbc.any():
        return np.full(3, np.inf)
    cell = np.asarray(frame.cell.complete().array, dtype=np.float64)
    volume = abs(np.linalg.det(cell))
    faces = np.array([np.linalg.norm(np.cross(cell[(i + 1) % 3], cell[(i + 2) % 3])) for i in range(3)])
    return np.where(frame.pbc, volume / faces, np.inf)


def _fractions(frame: Atoms) -> tuple[Floats, Floats]:
    """Positions in units of the cell, within it along periodic vectors; and the cell, a unit cube for an open structure."""
    if not frame.pbc.any():
        return np.asarray(frame.positions, dtype=np.float64), np.eye(3)
    cell = np.asarray(frame.cell.complete().array, dtype=np.float64)
    fractions = np.linalg.solve(cell.T, frame.positions.T).T
    return np.where(frame.pbc, fractions % 1.0, fractions), cell


def _with_images(frame: Atoms, reach: float) -> tuple[Floats, npt.NDArray[np.int64]]:
    """Positions of all atoms and of their periodic images within ``reach`` Å of the cell, and whose image each is."""
    fractions, cell = _fractions(frame)
    owners = np.arange(len(frame))
    for axis, height in enumerate(heights(frame)):
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

    The cell must be at least that high in every periodic direction.
    """
    positions, owners = _with_images(frame, closest)
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
    if images(frame, r_max) > IMAGES:
        finite = np.where(np.isfinite(heights(frame)), 0.0, np.ptp(frame.positions, axis=0) + r_max)
        cell = np.asarray(frame.cell.complete().array, dtype=np.float64)
        volume = abs(np.linalg.det(cell)) if frame.pbc.all() else float(np.prod(np.where(frame.pbc, np.linalg.norm(cell, axis=1), finite)))
        return float(len(frame)) ** 2 * 4.19 * r_max**3 / max(volume, 1e-9)
    fractions, cell = _fractions(frame)
    own, every = cKDTree(fractions @ cell), cKDTree(_with_images(frame, r_max)[0])
    return float(own.count_neighbors(every, r_max)) - len(frame)


def bins(frame: Atoms, r_max: float) -> float:
    """How many bins upstream's neighbour list sorts atoms into, a number of memory for each.

    It takes a cell of ``5 r_max`` times the largest coordinate along vectors that are not periodic (mace.data.neighborhood).
    """
    largest = float(np.abs(frame.positions).max()) + 1.0
    return float(np.prod(np.maximum(np.where(np.isfinite(heights(frame)), heights(frame) / r_max, 5.0 * largest), 1.0)))
