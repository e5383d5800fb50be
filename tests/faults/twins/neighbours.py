"""Twins of faults of neighbour lists: other ways to the same edges."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import numpy as np
from ase import Atoms

from mpcheck.sessions.run import Session
from mpcheck.systems.neighbours import neighbours
from tests.faults.patches.geometry import Neighbours, _neighbours
from tests.faults.patches.neighbours import Edges, listed
from tests.faults.patches.planting import patch
from tests.faults.twins.acting import Acts


@patch
def searched_by_another_library(session: Session, acts: Acts) -> Iterator[None]:
    """ASE's search in the reduced cell in place of matscipy's in the cell as given."""

    def make(original: Neighbours) -> Neighbours:
        def call(positions: Any, cutoff: float, pbc: Any = None, cell: Any = None, **kwargs: Any) -> Any:
            acts()
            frame = Atoms(numbers=np.ones(len(positions), dtype=int), positions=positions, cell=cell, pbc=pbc)
            _, _, _, searched = original(positions[:1], cutoff, pbc, cell, **kwargs)
            found = neighbours(frame, cutoff)
            index, units = np.stack([found.sender, found.receiver]), found.shifts.astype(np.float64)
            return index, np.dot(units, searched), units, searched

        return call

    with _neighbours(make):
        yield


@patch
def ends_exchanged_with_their_shifts(session: Session, acts: Acts) -> Iterator[None]:
    """Each edge is listed from its other end, with its shift turned."""

    def change(index: Any, units: Any) -> Edges:
        acts()
        return index[::-1].copy(), -units

    with listed(change):
        yield


@patch
def half_of_the_list_and_its_mirror(session: Session, acts: Acts) -> Iterator[None]:
    """Each pair is found from one of its ends, and listed from both."""

    def change(index: Any, units: Any) -> Edges:
        acts()
        first = np.array([tuple(s) > (0, 0, 0) if i == j else i < j for i, j, s in zip(*index, units.tolist(), strict=True)], dtype=bool)
        index, units = index[:, first], units[first]
        return np.concatenate([index, index[::-1]], axis=1), np.concatenate([units, -units])

    with listed(change):
        yield


@patch
def an_edge_twice_and_once_taken_out(session: Session, acts: Acts) -> Iterator[None]:
    """The last edge is listed once more, and what is listed twice is taken out."""

    def change(index: Any, units: Any) -> Edges:
        acts()
        index, units = np.concatenate([index, index[:, -1:]], axis=1), np.concatenate([units, units[-1:]])
        _, first = np.unique(np.concatenate([index, units.T]), axis=1, return_index=True)
        return index[:, first], units[first]

    with listed(change):
        yield
