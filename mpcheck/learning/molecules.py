"""What of a force acts on a molecule as a whole, and what within it.

A molecule is what covalent radii (Cordero et al. 2008, by ASE's ``natural_cutoffs``) times 1.2 connect. The force on it as a rigid body is its
net force and the torque about its centre of mass, given back to its atoms by mass and place: ``F m_i/M`` and ``m_i (I⁻¹ τ) × r_i``; the rest is
within it (Magdău et al. 2023, npj Comput. Mater. 9, 146).
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from ase import Atoms
from ase.neighborlist import natural_cutoffs, neighbor_list
from numpy.typing import NDArray
from scipy.sparse import csr_matrix
from scipy.sparse.csgraph import connected_components

BOND = 1.2
"""Times the sum of covalent radii: hot O–H bonds reach 1.1 Å of the 1.16 that this allows, hydrogen bonds begin at 1.5."""
Array = NDArray[np.float64]


def molecules(atoms: Atoms) -> list[tuple[NDArray[np.int64], Array]]:
    """Members of each molecule and where they are, whole across a cell's faces, Å. None of what is connected to its own image."""
    first, second, vectors = neighbor_list("ijD", atoms, natural_cutoffs(atoms, mult=BOND))
    linked = csr_matrix((np.ones(len(first)), (first, second)), shape=(len(atoms),) * 2)
    count, label = connected_components(linked, directed=False)
    bonds: list[list[tuple[int, Array]]] = [[] for _ in atoms]
    for i, j, vector in zip(first, second, vectors, strict=True):
        bonds[i].append((int(j), vector))
    whole = [_unwrapped(np.flatnonzero(label == number), bonds) for number in range(count)]
    return [] if any(one is None for one in whole) else [one for one in whole if one is not None]


def _unwrapped(members: NDArray[np.int64], bonds: Sequence[Sequence[tuple[int, Array]]]) -> tuple[NDArray[np.int64], Array] | None:
    """Places of a molecule's atoms from its first; None where a way around comes back elsewhere: a chain through the whole crystal."""
    places = {int(members[0]): np.zeros(3)}
    waiting = [int(members[0])]
    while waiting:
        atom = waiting.pop()
        for other, vector in bonds[atom]:
            place = places[atom] + vector
            if other not in places:
                places[other] = place
                waiting.append(other)
            elif not np.allclose(places[other], place, atol=1e-6):
                return None
    return members, np.array([places[int(m)] for m in members])


def rigid(forces: Array, places: Array, masses: Array) -> Array:
    """The part of forces [atoms, 3] that moves a molecule as a rigid body."""
    r = places - np.average(places, axis=0, weights=masses)
    share = masses[:, None] / masses.sum()
    torque = np.cross(r, forces).sum(axis=0)
    inertia = np.einsum("i,ij,kl->kl", masses, r**2, np.eye(3)) - np.einsum("i,ij,ik->jk", masses, r, r)
    turn = np.linalg.pinv(inertia, rcond=1e-9) @ torque  # of a single atom, or about the axis of a linear molecule, there is none
    moved: Array = share * forces.sum(axis=0) + masses[:, None] * np.cross(turn, r)
    return moved


def between(atoms: Atoms, forces: Array) -> Array | None:
    """The part of forces that molecules exert on each other; None of a structure that is one molecule, or no molecules."""
    found = molecules(atoms)
    if len(found) < 2:
        return None
    part, masses = np.zeros_like(forces), atoms.get_masses()
    for members, places in found:
        part[members] = rigid(forces[members], places, masses[members])
    return part
