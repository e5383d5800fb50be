"""Structures made of a user's own: rattled, strained, larger, short of an atom, with two atoms brought together. Seeded, the same everywhere."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np
import numpy.typing as npt
from ase import Atoms
from ase.data import covalent_radii

from mpcheck.systems.inputs import with_inputs
from mpcheck.systems.neighbours import neighbours
from mpcheck.systems.resolve import CLOSEST
from mpcheck.systems.spacing import coincident

RATTLE = 0.05
"""Of the shortest distance, RMS along each axis: a bond's thermal motion at some hundred K."""
STRAIN = 0.01
"""RMS of each component of the strain, as thermal strains and relaxations of cells have."""
APPROACH = (1.0, 0.8, 0.65, 0.5)
"""Distances of a close contact in units of the sum of covalent radii: from a full bond to what only a collision at several eV reaches."""
Floats = npt.NDArray[np.float64]


def remade(frame: Atoms, positions: Floats, cell: Floats | None = None, order: npt.NDArray[np.int64] | None = None) -> Atoms:
    """A structure like another, elsewhere; order: the atoms that it keeps, and of which ``positions`` are."""
    numbers = frame.numbers if order is None else frame.numbers[order]
    made = Atoms(numbers, positions, cell=np.array(frame.cell) if cell is None else cell, pbc=frame.pbc)
    return with_inputs(made, frame, order)


def shortest(frame: Atoms) -> float:
    """The shortest distance of two atoms in Å, periodic images included; a bond length of their own radii where none are nearer."""
    own = 2.0 * float(np.mean([covalent_radii[n] for n in frame.numbers]))
    vectors = neighbours(frame, own).vectors.astype(np.float64)
    return min(float(np.linalg.norm(vectors, axis=1).min()), own) if len(vectors) else own


def rattled(frame: Atoms, rng: np.random.Generator, strained: bool) -> Atoms:
    """Every coordinate moved by a normal deviate, and the periodic vectors strained.

    No two atoms come nearer than structures may have them: then it is drawn anew, and smaller.
    """
    size = RATTLE * shortest(frame)
    while True:
        strain = np.eye(3) + (rng.normal(0.0, STRAIN, (3, 3)) if strained and frame.pbc.any() else 0.0)
        strain = (strain + strain.T) / 2.0
        cell = np.where(frame.pbc[:, None], np.array(frame.cell) @ strain, np.array(frame.cell))
        moved = frame.positions @ strain if strained and frame.pbc.any() else frame.positions
        made = remade(frame, moved + rng.normal(0.0, size, frame.positions.shape), cell)
        if coincident(made, CLOSEST) is None:
            return made
        size /= 2.0


def fewer(frame: Atoms, atom: int) -> Atoms:
    """Without one atom: a structure of the other parity, for what goes wrong where the number of atoms is odd."""
    kept = np.delete(np.arange(len(frame)), atom)
    return remade(frame, frame.positions[kept], order=kept)


def piece(frame: Atoms, atom: int, count: int) -> Atoms:
    """The atoms nearest to one, as an open cluster: the same surroundings in a structure that is small enough to have many copies of."""
    vectors = frame.get_distances(atom, range(len(frame)), mic=bool(frame.pbc.any()), vector=True)
    order = np.argsort(np.linalg.norm(vectors, axis=1), kind="stable")[:count]
    made = remade(frame, vectors[order], order=order)
    made.pbc = False
    made.cell = np.zeros((3, 3))
    return made


def repeated(frame: Atoms, counts: tuple[int, int, int]) -> Atoms:
    """A supercell."""
    many = np.concatenate([np.arange(len(frame))] * int(np.prod(counts)))
    shifts = np.array([(i, j, k) for i in range(counts[0]) for j in range(counts[1]) for k in range(counts[2])], dtype=float)
    positions = np.concatenate([frame.positions + s @ np.array(frame.cell) for s in shifts])
    cell = np.array(frame.cell) * np.array(counts)[:, None]
    return remade(frame, positions, cell, many)


def contacts(frame: Atoms, most: int) -> Iterator[tuple[str, Atoms]]:
    """The nearest pair of each pair of elements at every distance of :data:`APPROACH`, and in words what it is.

    Args:
        most: pairs of elements, the nearest first.
    """
    if len(frame) < 2:
        return
    periodic = bool(frame.pbc.any())
    distances = frame.get_all_distances(mic=periodic)
    vectors = frame.get_all_distances(mic=periodic, vector=True)
    distances[np.tril_indices(len(frame))] = np.inf
    nearest: dict[tuple[int, int], tuple[float, int, int]] = {}
    for flat in np.argsort(distances, axis=None, kind="stable")[: 50 * len(frame)]:
        i, j = divmod(int(flat), len(frame))
        if not np.isfinite(distances[i, j]) or len(nearest) == most:
            break
        kind = (min(frame.numbers[i], frame.numbers[j]), max(frame.numbers[i], frame.numbers[j]))
        nearest.setdefault(kind, (float(distances[i, j]), i, j))
    for distance, i, j in nearest.values():
        bond = float(covalent_radii[frame.numbers[i]] + covalent_radii[frame.numbers[j]])
        for factor in APPROACH:
            positions = np.array(frame.positions)
            positions[j] = positions[i] + vectors[i, j] * (factor * bond / distance)
            made = remade(frame, positions)
            if coincident(made, CLOSEST) is None:
                yield f"{frame[i].symbol}{i} and {frame[j].symbol}{j} at {factor * bond:.2f} Å", made
