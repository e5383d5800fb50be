"""Edges as long as the cutoff, to a rounding: a moved structure's graph has the same ones as its original's, whatever roundings say.

Lattices of round constants have vectors as long as a round cutoff. Whether such an edge is in a graph is decided by the last digit of its
length, which every rotation changes. Most models let it go to zero there; one that does not (attention, no envelope) would seem not to follow
the rotation.
"""

from __future__ import annotations

from collections.abc import Callable

import torch

from mpcheck.adapters.execution import Tensors

TIE = 1e-9  # of the cutoff: roundings of positions, cells and rotations are smaller by far, differences that a file has larger
NEAR = 1e-6  # of the cutoff: two edges between the same atoms differ by a vector of the lattice
PER_EDGE = {"edge_index": 1, "shifts": 0, "unit_shifts": 0}
"""Tensors of a graph that have something for each edge, and the axis that counts edges."""


def vectors(graph: Tensors) -> torch.Tensor:
    """From sender to receiver [edges, 3], Å."""
    sender, receiver = graph["edge_index"]
    return graph["positions"][receiver] - graph["positions"][sender] + graph["shifts"]


def tied(graph: Tensors, r_max: float) -> torch.Tensor:
    """Which edges [edges] are as long as the cutoff."""
    lengths: torch.Tensor = vectors(graph).norm(dim=-1)
    return (lengths - r_max).abs() <= TIE * r_max


def edges_of(graph: Tensors, chosen: torch.Tensor) -> Tensors:
    """A graph with some of its edges: indices, or a mask, in their order."""
    index = chosen.nonzero()[:, 0] if chosen.dtype == torch.bool else chosen
    return {n: t.index_select(PER_EDGE[n], index) if n in PER_EDGE else t for n, t in graph.items()}


def settled(wide: Tensors, original: Tensors, r_max: float, back: Callable[[torch.Tensor], torch.Tensor], atoms: torch.Tensor) -> Tensors:
    """The graph of a moved structure with those tied edges alone that its original has.

    Args:
        wide: searched a little farther than ``r_max``, so that it has all of them.
        back: vectors [n, 3] of the moved structure as they were before. atoms [atoms]: which atom of the original each one is.
    """
    ties, own = tied(wide, r_max), tied(original, r_max)
    before, known = back(vectors(wide)[ties]), vectors(original)[own]
    ends, known_ends = atoms[wide["edge_index"][:, ties]], original["edge_index"][:, own]
    alike = (ends[:, :, None] == known_ends[:, None, :]).all(0) & (torch.cdist(before, known) <= NEAR * r_max)
    keep = ~ties
    keep[ties] = alike.any(1)
    return edges_of(wide, keep)
