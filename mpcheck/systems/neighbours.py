"""Who is near whom in a periodic structure, by ASE's search in the reduced cell: independent of upstream's, matscipy's in the cell as given."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
from ase import Atoms
from ase.neighborlist import primitive_neighbor_list

from mpcheck.systems.spacing import lattice

Integers = npt.NDArray[np.int64]
Wide = npt.NDArray[np.longdouble]


@dataclass(frozen=True)
class Neighbours:
    """Edges of a structure, each from both of its ends.

    Attributes:
        sender, receiver: [edges]. shifts: [edges, 3], how often the receiver is moved by each vector of the structure's own cell.
        vectors: [edges, 3] in Å from sender to receiver, in numpy's widest type.
    """

    sender: Integers
    receiver: Integers
    shifts: Integers
    vectors: Wide


def neighbours(frame: Atoms, r_max: float) -> Neighbours:
    """All pairs of atoms and images nearer than ``r_max`` Å, an atom and its own images included."""
    cell, positions = lattice(frame), np.asarray(frame.positions, dtype=np.float64)
    periodic = np.flatnonzero(frame.pbc)
    whole = np.zeros((len(frame), 3), dtype=np.int64)
    fractions = np.linalg.solve(cell.T, (positions - positions.min(axis=0)).T).T
    whole[:, periodic] = np.floor(fractions[:, periodic]).astype(np.int64)
    wrapped = positions - whole @ cell
    box = cell * np.where(frame.pbc, 1.0, np.ptp(fractions, axis=0) + 1.0)[:, None]  # bins of open structures go by the length of their vectors
    sender, receiver, jumps = primitive_neighbor_list("ijS", frame.pbc, box, wrapped, r_max)
    jumps = jumps - whole[receiver] + whole[sender]
    own = np.asarray(frame.cell.array, dtype=np.float64)
    shifts = np.zeros_like(jumps)
    if periodic.size:
        turned = np.rint(cell[periodic] @ np.linalg.pinv(own[periodic])).astype(np.int64)  # reduced vectors in units of the structure's own
        shifts[:, periodic] = jumps[:, periodic] @ turned
    place = positions.astype(np.longdouble)
    vectors = place[receiver] - place[sender] + shifts.astype(np.longdouble) @ own.astype(np.longdouble)
    return Neighbours(sender.astype(np.int64), receiver.astype(np.int64), shifts.astype(np.int64), vectors)
