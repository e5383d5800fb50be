"""Twins of faults of kernels on many rows: the rows in parts, each of them whole."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Any

import torch

from mpcheck.adapters.upstream import mace, o3
from mpcheck.sessions.run import Session
from tests.faults.patches.planting import exchanged, patch
from tests.faults.twins.acting import Acts


def _in_parts(cls: type, acts: Acts, rows: int) -> Any:
    """Results of ``cls.forward`` put together from parts of so many rows, and of what is left."""

    def make(original: Callable[..., Any]) -> Callable[..., Any]:
        def forward(self: Any, *args: Any, **kwargs: Any) -> Any:
            acts()
            whole = original(self, *args, **kwargs)
            parts = [whole[begin : begin + rows] for begin in range(0, len(whole), rows)]
            return torch.cat(parts) if len(parts) > 1 else whole

        return forward

    return exchanged(cls, "forward", make)


@patch
def linear_rows_in_parts(session: Session, acts: Acts, rows: int) -> Iterator[None]:
    """Results of linear layers are written part by part, the last one too."""
    with _in_parts(o3.Linear, acts, rows):
        yield


@patch
def product_rows_in_parts(session: Session, acts: Acts, rows: int) -> Iterator[None]:
    """Results of tensor products are written part by part, the last one too."""
    with _in_parts(o3.TensorProduct, acts, rows):
        yield


@patch
def edge_vectors_in_parts(session: Session, acts: Acts, rows: int) -> Iterator[None]:
    """Edge vectors are computed so many edges at a time."""

    def make(original: Callable[..., Any]) -> Callable[..., Any]:
        def call(positions: torch.Tensor, edge_index: torch.Tensor, shifts: torch.Tensor, *args: Any, **kwargs: Any) -> Any:
            acts()
            edges = edge_index.shape[1]
            if edges <= rows:
                return original(positions, edge_index, shifts, *args, **kwargs)
            parts = [original(positions, edge_index[:, b : b + rows], shifts[b : b + rows], *args, **kwargs) for b in range(0, edges, rows)]
            vectors, lengths = zip(*parts, strict=True)
            return torch.cat(vectors), torch.cat(lengths)

        return call

    with exchanged(mace.modules.utils, "get_edge_vectors_and_lengths", make):
        yield
