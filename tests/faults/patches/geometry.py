"""Faults between a structure and its edge vectors: neighbour lists, cells, indices."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Any

import numpy as np
import torch

from mpcheck.adapters.upstream import mace
from mpcheck.sessions.run import Session
from tests.faults.patches.planting import exchanged, patch

Neighbours = Callable[..., Any]


def _neighbours(make: Callable[[Neighbours], Neighbours]) -> Any:
    """Upstream's neighbour list, where the class that makes graphs looks it up."""
    from mace.data import atomic_data

    return exchanged(atomic_data, "get_neighborhood", make)


def _vectors(make: Callable[[Callable[..., Any]], Callable[..., Any]]) -> Any:
    return exchanged(mace.modules.utils, "get_edge_vectors_and_lengths", make)


@patch
def stress_over_search_cell(session: Session, factor: float) -> Iterator[None]:
    """The virial is divided by the volume of a cell that a neighbour search made up."""

    def make(original: Callable[..., Any]) -> Callable[..., Any]:
        def call(*args: Any, **kwargs: Any) -> Any:
            return original(*args, **{**kwargs, "cell": kwargs["cell"] * factor ** (1 / 3)})

        return call

    with exchanged(mace.modules.utils, "compute_forces_virials", make):
        yield


@patch
def search_box_at_the_origin(session: Session) -> Iterator[None]:
    """Without periodicity: atoms are folded into a box around the origin for the search, their vectors taken unfolded."""

    def make(original: Neighbours) -> Neighbours:
        def call(positions: Any, cutoff: float, pbc: Any = None, cell: Any = None, **kwargs: Any) -> Any:
            if pbc is None or not any(pbc):
                extent = np.ptp(positions, axis=0) + 2 * cutoff
                positions = positions - np.floor(positions / extent) * extent
            return original(positions, cutoff, pbc, cell, **kwargs)

        return call

    with _neighbours(make):
        yield


@patch
def identity_cell_without_periodicity(session: Session) -> Iterator[None]:
    """A structure without periodicity is searched as if its stand-in cell of 1 Å were a lattice."""

    def make(original: Neighbours) -> Neighbours:
        def call(positions: Any, cutoff: float, pbc: Any = None, cell: Any = None, **kwargs: Any) -> Any:
            if pbc is None or not any(pbc):
                pbc, cell = (True, True, True), np.identity(3)
            return original(positions, cutoff, pbc, cell, **kwargs)

        return call

    with _neighbours(make):
        yield


@patch
def neighbours_beyond_the_cutoff(session: Session, factor: float) -> Iterator[None]:
    """A neighbour list that does not stop at the radius asked for."""

    def make(original: Neighbours) -> Neighbours:
        return lambda positions, cutoff, *args, **kwargs: original(positions, cutoff * factor, *args, **kwargs)

    with _neighbours(make):
        yield


@patch
def positions_in_float32(session: Session) -> Iterator[None]:
    """Positions rounded to float32 before they are subtracted."""

    def make(original: Callable[..., Any]) -> Callable[..., Any]:
        return lambda positions, *args, **kwargs: original(positions.float().to(positions.dtype), *args, **kwargs)

    with _vectors(make):
        yield


@patch
def wrapped_gather(session: Session, bits: int) -> Iterator[None]:
    """Flat offsets, index times three, kept in so many bits without a sign."""

    def make(original: Callable[..., Any]) -> Callable[..., Any]:
        return lambda positions, edge_index, *args, **kwargs: original(positions, (3 * edge_index) % 2**bits // 3, *args, **kwargs)

    with _vectors(make):
        yield


@patch
def signed_gather(session: Session) -> Iterator[None]:
    """Flat offsets, index times three, in 32 bits with a sign: those that overflow point elsewhere in memory."""

    def make(original: Callable[..., Any]) -> Callable[..., Any]:
        def call(positions: torch.Tensor, edge_index: torch.Tensor, *args: Any, **kwargs: Any) -> Any:
            offset = (3 * edge_index).to(torch.int32).long()
            return original(positions, torch.div(offset, 3, rounding_mode="floor") % len(positions), *args, **kwargs)

        return call

    with _vectors(make):
        yield


@patch
def strides_of_the_cell_assumed(session: Session) -> Iterator[None]:
    """The cell's memory is read row by row, however its rows lie."""

    def make(original: Callable[..., Any]) -> Callable[..., Any]:
        def call(*args: Any, **kwargs: Any) -> Any:
            cell = kwargs.get("cell")
            if isinstance(cell, torch.Tensor):
                kwargs["cell"] = cell.as_strided(cell.shape, torch.empty(cell.shape, device="meta").stride())
            return original(*args, **kwargs)

        return call

    with exchanged(mace.modules.utils, "get_symmetric_displacement", make):
        yield


@patch
def edge_dropped_now_and_then(session: Session, every: int, dtype: str) -> Iterator[None]:
    """One call in so many loses one edge, in one type."""
    calls = [0]

    def make(original: Callable[..., Any]) -> Callable[..., Any]:
        def forward(self: Any, data: dict[str, torch.Tensor], *args: Any, **kwargs: Any) -> Any:
            calls[0] += 1
            if calls[0] % every == 0 and data["positions"].dtype == getattr(torch, dtype):
                data["edge_index"] = data["edge_index"][:, :-1]
                data["shifts"], data["unit_shifts"] = data["shifts"][:-1], data["unit_shifts"][:-1]
            return original(self, data, *args, **kwargs)

        return forward

    with exchanged(mace.modules.models.ScaleShiftMACE, "forward", make):
        yield
