"""Faults of neighbour lists: edges that are missing, in excess, or of another image."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Any

import numpy as np

from mpcheck.sessions.run import Session
from tests.faults.patches.geometry import Neighbours, _neighbours
from tests.faults.patches.planting import patch

Edges = tuple[Any, Any]
"""Indices [2, edges] and shifts [edges, 3] in units of the cell's vectors."""


def listed(change: Callable[[Any, Any], Edges]) -> Any:
    """A neighbour list whose edges go through ``change(indices, unit shifts)``; shifts in Å follow."""

    def make(original: Neighbours) -> Neighbours:
        def call(*args: Any, **kwargs: Any) -> Any:
            index, _, units, cell = original(*args, **kwargs)
            index, units = change(index, units)
            return index, np.dot(units, cell), units, cell

        return call

    return _neighbours(make)


@patch
def nearest_images_alone(session: Session) -> Iterator[None]:
    """Images are looked for in the cells next to an atom's own alone, however small they are."""

    def change(index: Any, units: Any) -> Edges:
        near = (np.abs(units) <= 1).all(axis=1)
        return index[:, near], units[near]

    with listed(change):
        yield


@patch
def one_image_of_each_pair(session: Session) -> Iterator[None]:
    """The minimum-image convention in a cell that is too small for it: of a pair's images the first is taken, and none of an atom's own."""

    def change(index: Any, units: Any) -> Edges:
        order = np.lexsort((np.abs(units).sum(axis=1), index[1], index[0]))
        _, first = np.unique(index[:, order], axis=1, return_index=True)
        kept = np.array([row for row in order[first] if index[0, row] != index[1, row]], dtype=int)
        return index[:, kept], units[kept]

    with listed(change):
        yield


@patch
def shifts_turned(session: Session) -> Iterator[None]:
    """The sign of every shift is that of the edge's other direction."""
    with listed(lambda index, units: (index, -units)):
        yield


@patch
def half_of_the_list(session: Session) -> Iterator[None]:
    """Each pair is listed from one of its ends."""

    def change(index: Any, units: Any) -> Edges:
        first = np.array([tuple(s) > (0, 0, 0) if i == j else i < j for i, j, s in zip(*index, units.tolist(), strict=True)], dtype=bool)
        return index[:, first], units[first]

    with listed(change):
        yield


@patch
def an_edge_twice(session: Session) -> Iterator[None]:
    """The last edge is listed once more."""
    with listed(lambda index, units: (np.concatenate([index, index[:, -1:]], axis=1), np.concatenate([units, units[-1:]]))):
        yield


@patch
def searched_along_other_axes(session: Session) -> Iterator[None]:
    """Which vectors are periodic is read in another order."""

    def make(original: Neighbours) -> Neighbours:
        def call(positions: Any, cutoff: float, pbc: Any = None, cell: Any = None, **kwargs: Any) -> Any:
            if pbc is not None:
                pbc = (pbc[1], pbc[2], pbc[0])
            return original(positions, cutoff, pbc, cell, **kwargs)

        return call

    with _neighbours(make):
        yield
