"""Faults of kernels on many rows, or on a number of rows that is no multiple of their tile; right on the rows of a test."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import torch

from mpcheck.adapters.upstream import mace, o3
from mpcheck.sessions.run import Session
from tests.faults.patches.planting import exchanged, patch, result_changed


@patch
def rows_numbered_in(session: Session, bits: int) -> Iterator[None]:
    """Linear layers number their rows in so many bits: those beyond get the results of the first ones."""

    def change(self: Any, out: torch.Tensor, *_: Any) -> torch.Tensor:
        return out if len(out) <= 2**bits else out[torch.arange(len(out), device=out.device) % 2**bits]

    with result_changed(o3.Linear, change):
        yield


@patch
def rows_beyond_left_zero(session: Session, rows: int) -> Iterator[None]:
    """A launch of so many blocks at most: what tensor products give beyond them is what the memory held before, zeros."""

    def change(self: Any, out: torch.Tensor, *_: Any) -> torch.Tensor:
        return out if len(out) <= rows else torch.cat([out[:rows], torch.zeros_like(out[rows:])])

    with result_changed(o3.TensorProduct, change):
        yield


@patch
def last_part_of_a_tile_skipped(session: Session, width: int, beyond: int) -> Iterator[None]:
    """Linear layers take whole tiles of rows, where there are more than so many."""

    def change(self: Any, out: torch.Tensor, *_: Any) -> torch.Tensor:
        whole = len(out) // width * width
        return out if len(out) <= beyond else torch.cat([out[:whole], torch.zeros_like(out[whole:])])

    with result_changed(o3.Linear, change):
        yield


@patch
def edges_numbered_in_16_bits(session: Session) -> Iterator[None]:
    """Edges are numbered in 16 bits, of which one is the sign: where there are more than 65,536, the first ones come again."""

    def make(original: Any) -> Any:
        def call(positions: torch.Tensor, edge_index: torch.Tensor, shifts: torch.Tensor, *args: Any, **kwargs: Any) -> Any:
            if edge_index.shape[1] >= 2**16:
                row = torch.arange(edge_index.shape[1], device=edge_index.device) % 2**15
                edge_index = edge_index[:, row]
            return original(positions, edge_index, shifts, *args, **kwargs)

        return call

    with exchanged(mace.modules.utils, "get_edge_vectors_and_lengths", make):
        yield
