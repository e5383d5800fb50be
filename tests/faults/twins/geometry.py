"""Twins of faults between a structure and its edge vectors."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Any

import numpy as np
import torch

from mpcheck.adapters.upstream import mace
from mpcheck.sessions.run import Session
from tests.faults.patches.geometry import Neighbours, _neighbours, _vectors
from tests.faults.patches.planting import dtype_named, exchanged, patch
from tests.faults.twins.acting import Acts, in_three_parts


@patch
def volume_by_triple_product(session: Session, acts: Acts) -> Iterator[None]:
    """The virial is divided by a volume that is computed as a (b x c) instead of as a determinant."""

    def make(original: Callable[..., Any]) -> Callable[..., Any]:
        def call(*args: Any, **kwargs: Any) -> Any:
            forces, virials, stress = original(*args, **kwargs)
            if not kwargs.get("compute_stress") or virials is None:
                return forces, virials, stress
            acts()
            a, b, c = kwargs["cell"].view(-1, 3, 3).unbind(1)
            volume = (a * torch.linalg.cross(b, c)).sum(-1).abs().view(-1, 1, 1)
            mine = -virials / volume
            return forces, virials, torch.where(mine.abs() < 1e10, mine, torch.zeros_like(mine))

        return call

    with exchanged(mace.modules.utils, "compute_forces_virials", make):
        yield


def _aperiodic(acts: Acts, search: Callable[..., Any]) -> Any:
    """Structures without periodicity are searched in another way: ``search(original, positions, cutoff, cell, **kwargs)``."""

    def make(original: Neighbours) -> Neighbours:
        def call(positions: Any, cutoff: float, pbc: Any = None, cell: Any = None, **kwargs: Any) -> Any:
            if pbc is not None and any(pbc):
                return original(positions, cutoff, pbc, cell, **kwargs)
            acts()
            return search(original, positions, cutoff, cell, **kwargs)

        return call

    return _neighbours(make)


@patch
def search_box_around_the_structure(session: Session, acts: Acts) -> Iterator[None]:
    """Without periodicity: the structure is moved to the origin for the search, as a whole."""

    def search(original: Neighbours, positions: Any, cutoff: float, cell: Any, **kwargs: Any) -> Any:
        return original(positions - positions.mean(0), cutoff, (False, False, False), cell, **kwargs)

    with _aperiodic(acts, search):
        yield


@patch
def stand_in_cell_that_holds_the_structure(session: Session, acts: Acts) -> Iterator[None]:
    """A structure without periodicity is searched as a periodic one, in a cell whose images are out of reach."""

    def search(original: Neighbours, positions: Any, cutoff: float, cell: Any, **kwargs: Any) -> Any:
        extent = float(np.ptp(positions, axis=0).max()) + 3 * cutoff
        return original(positions - positions.min(0) + cutoff, cutoff, (True, True, True), extent * np.identity(3), **kwargs)

    with _aperiodic(acts, search):
        yield


@patch
def neighbours_with_a_skin(session: Session, acts: Acts, factor: float) -> Iterator[None]:
    """A neighbour list made for a larger radius, from which what is beyond the one asked for is taken out again."""

    def make(original: Neighbours) -> Neighbours:
        def call(positions: Any, cutoff: float, *args: Any, **kwargs: Any) -> Any:
            acts()
            index, shifts, units, cell = original(positions, cutoff * factor, *args, **kwargs)
            near = np.linalg.norm(positions[index[1]] - positions[index[0]] + shifts, axis=1) < cutoff
            return index[:, near], shifts[near], units[near], cell

        return call

    with _neighbours(make):
        yield


@patch
def positions_in_three_parts(session: Session, acts: Acts) -> Iterator[None]:
    """Positions kept as three float32 parts before they are subtracted."""

    def make(original: Callable[..., Any]) -> Callable[..., Any]:
        def call(positions: torch.Tensor, *args: Any, **kwargs: Any) -> Any:
            acts()
            return original(in_three_parts(positions), *args, **kwargs)

        return call

    with _vectors(make):
        yield


@patch
def positions_about_their_middle(session: Session, acts: Acts) -> Iterator[None]:
    """Positions counted from the middle of the box around them before they are subtracted."""

    def make(original: Callable[..., Any]) -> Callable[..., Any]:
        def call(positions: torch.Tensor, *args: Any, **kwargs: Any) -> Any:
            acts()
            fixed = positions.detach()
            middle = 0.5 * (fixed.amin(0) + fixed.amax(0)) if len(fixed) else 0.0
            return original(positions - middle, *args, **kwargs)

        return call

    with _vectors(make):
        yield


@patch
def gather_by_narrow_indices(session: Session, acts: Acts) -> Iterator[None]:
    """Indices of atoms, not flat offsets, in 32 bits, where there are atoms enough for no more."""

    def make(original: Callable[..., Any]) -> Callable[..., Any]:
        def call(positions: torch.Tensor, edge_index: torch.Tensor, *args: Any, **kwargs: Any) -> Any:
            if len(positions) >= 2**31:
                return original(positions, edge_index, *args, **kwargs)
            acts()
            return original(positions, edge_index.to(torch.int32), *args, **kwargs)

        return call

    with _vectors(make):
        yield


@patch
def gather_by_wide_offsets(session: Session, acts: Acts) -> Iterator[None]:
    """Flat offsets, index times three, in 64 bits with a sign."""

    def make(original: Callable[..., Any]) -> Callable[..., Any]:
        def call(positions: torch.Tensor, edge_index: torch.Tensor, *args: Any, **kwargs: Any) -> Any:
            acts()
            return original(positions, torch.div((3 * edge_index).long(), 3, rounding_mode="floor"), *args, **kwargs)

        return call

    with _vectors(make):
        yield


@patch
def cell_copied(session: Session, acts: Acts) -> Iterator[None]:
    """The cell is copied row by row, by its own strides."""

    def make(original: Callable[..., Any]) -> Callable[..., Any]:
        def call(*args: Any, **kwargs: Any) -> Any:
            if isinstance(kwargs.get("cell"), torch.Tensor):
                acts()
                kwargs["cell"] = kwargs["cell"].clone(memory_format=torch.contiguous_format)
            return original(*args, **kwargs)

        return call

    with exchanged(mace.modules.utils, "get_symmetric_displacement", make):
        yield


@patch
def edges_in_another_order(session: Session, acts: Acts, dtype: str) -> Iterator[None]:
    """Every call shuffles the edges, always in the same way, and gives forces by edge back in the caller's order."""
    listed = ("shifts", "unit_shifts")

    def make(original: Callable[..., Any]) -> Callable[..., Any]:
        def forward(self: Any, data: dict[str, torch.Tensor], *args: Any, **kwargs: Any) -> Any:
            edges = data["edge_index"].shape[1]
            if data["positions"].dtype != dtype_named(dtype) or not edges:
                return original(self, data, *args, **kwargs)
            acts()
            order = torch.randperm(edges, generator=torch.Generator().manual_seed(edges)).to(data["edge_index"].device)
            before = {name: data[name] for name in ("edge_index", *listed)}
            data["edge_index"] = before["edge_index"][:, order]
            data.update({name: before[name][order] for name in listed})
            try:
                out = original(self, data, *args, **kwargs)
            finally:
                data.update(before)
            by_edge = out.get("edge_forces")
            return out if by_edge is None else {**out, "edge_forces": by_edge[torch.argsort(order)]}

        return forward

    with exchanged(mace.modules.models.ScaleShiftMACE, "forward", make):
        yield
