"""A part of a large structure, on which blocks are judged: atoms, all their neighbours, and theirs, up to a number of edges.

A block is a function of its arguments, and any structure gives it arguments. What references cost grows with the number of edges, and
what they tell does not. The part is made of whole neighbourhoods: sums into atoms are as long as in the structure, and the atoms in the middle
see what they saw there. Atoms at its rim, which give features and receive nothing, are there to be neighbours; no sample has rows of theirs
(:mod:`mpcheck.reference.sample`). Whole models and neighbour lists are judged on all of the structure elsewhere.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Mapping
from itertools import pairwise

import numpy as np
import torch

from mpcheck.reference.noise import seed_of

MOST_EDGES = 8192
"""An atom of a dense crystal has some 80 neighbours within 5 Å, and with theirs 6,500 edges lead to it through two layers."""
EDGE_TENSORS = ("edge_index", "shifts", "unit_shifts")
GRAPH_TENSORS = ("cell", "ptr", "head")
BINS = 4
"""Of neighbours by number, of edges by length: each gets its share of a sample."""

Graph = Mapping[str, torch.Tensor]


def atoms_in_turn(graph: Graph, seed: int) -> np.ndarray:
    """Every atom, in an order of which any beginning has elements, structures and numbers of neighbours in turn.

    Args:
        graph: see :func:`mpcheck.adapters.graph.make_graph`.
    """
    count = len(graph["positions"])
    degree = np.bincount(graph["edge_index"][1].cpu().numpy(), minlength=count)
    element = graph["node_attrs"].argmax(1).cpu().numpy()
    return _in_turn(np.stack([element, _binned(degree), graph["batch"].cpu().numpy()]), seed_of("atoms", seed))


def edges_in_turn(graph: Graph, seed: int) -> np.ndarray:
    """Every edge, in an order of which any beginning has pairs of elements and lengths in turn."""
    sender, receiver = graph["edge_index"].cpu()
    element = graph["node_attrs"].argmax(1).cpu()
    lengths = (graph["positions"][receiver] - graph["positions"][sender] + graph["shifts"]).cpu().norm(dim=1).numpy()
    return _in_turn(np.stack([element[sender].numpy(), element[receiver].numpy(), _binned(lengths)]), seed_of("edges", seed))


def _binned(values: np.ndarray) -> np.ndarray:
    """Which quarter of all values each lies in."""
    if not len(values):
        return np.zeros(0, dtype=np.int64)
    return np.searchsorted(np.quantile(values, np.arange(1, BINS) / BINS), values)


def _in_turn(kinds: np.ndarray, seed: int) -> np.ndarray:
    """Indices shuffled within each kind, then one of each kind after another.

    Args:
        kinds: [properties, items].
    """
    items = kinds.shape[1]
    if not items:
        return np.zeros(0, dtype=np.int64)
    shuffled = np.random.default_rng(seed).permutation(items)
    _, kind = np.unique(kinds[:, shuffled], axis=1, return_inverse=True)
    grouped = np.argsort(kind.reshape(-1), kind="stable")
    sizes = np.bincount(kind.reshape(-1))
    turn = np.empty(items, dtype=np.int64)
    turn[grouped] = np.arange(items) - np.repeat(np.cumsum(sizes) - sizes, sizes)
    chosen: np.ndarray = shuffled[np.argsort(turn, kind="stable")]
    return chosen


def cut(graph: Graph, seed: int, most: int = MOST_EDGES) -> dict[str, torch.Tensor]:
    """The part of a graph that blocks are judged on; the graph itself where it is small.

    Whole neighbourhoods are taken from the first atom of every structure outwards, while there is room; of each structure at least the atom,
    and of all together at least one neighbourhood.

    Args:
        graph: see :func:`mpcheck.adapters.graph.make_graph`. most: edges.

    Returns:
        A graph of the atoms that are ends of its edges, in their order, with as many structures.
    """
    atoms, edges, structures = len(graph["positions"]), graph["edge_index"].shape[1], len(graph["ptr"]) - 1
    if edges <= most or _alike(atoms, structures):
        return dict(graph)
    taken, roots = _neighbourhoods(graph, atoms_in_turn(graph, seed), most)
    sender, receiver = graph["edge_index"].cpu().numpy()
    kept = np.flatnonzero(taken[receiver])
    nodes = np.unique(np.concatenate([sender[kept], receiver[kept], roots]))
    number = np.full(atoms, -1)
    number[nodes] = np.arange(len(nodes))
    return _of(graph, torch.from_numpy(nodes), torch.from_numpy(kept), torch.from_numpy(number))


def reordered(graph: Graph, seed: int) -> tuple[dict[str, torch.Tensor], torch.Tensor]:
    """The same structures with their atoms, each structure's among themselves, and edges in another order; edges alone where what is of atoms
    cannot be told from what is of structures.

    Returns:
        The graph, and where each atom of the old order is in the new one, [atoms].
    """
    generator = torch.Generator().manual_seed(seed_of("order", seed))
    ends = graph["ptr"].tolist()
    if _alike(len(graph["positions"]), len(ends) - 1):
        nodes = torch.arange(len(graph["positions"]))
    else:
        nodes = torch.cat([first + torch.randperm(last - first, generator=generator) for first, last in pairwise(ends)])
    number = torch.empty_like(nodes)
    number[nodes] = torch.arange(len(nodes))
    return _of(graph, nodes, torch.randperm(graph["edge_index"].shape[1], generator=generator), number), number


def without(graph: Graph, atom: int) -> dict[str, torch.Tensor]:
    """A graph without one of its atoms and that atom's edges.

    Args:
        graph: of more atoms than it has structures, fields or cells of them, so that what is of atoms can be told.
    """
    sender, receiver = graph["edge_index"].cpu()
    nodes = torch.cat([torch.arange(atom), torch.arange(atom + 1, len(graph["positions"]))])
    number = torch.full((len(graph["positions"]),), -1)
    number[nodes] = torch.arange(len(nodes))
    return _of(graph, nodes, torch.nonzero((sender != atom) & (receiver != atom)).reshape(-1), number)


def _alike(atoms: int, structures: int) -> bool:
    """Whether tensors of atoms have as many rows as those of structures, of their fields or of their cells."""
    return atoms in (structures, 3 * structures, 9 * structures)


def _neighbourhoods(graph: Graph, order: np.ndarray, most: int) -> tuple[np.ndarray, list[int]]:
    """Which atoms' edges are taken, and the first atom of each structure."""
    sender, receiver = graph["edge_index"].cpu().numpy()
    by_receiver = np.argsort(receiver, kind="stable")
    starts = np.searchsorted(receiver[by_receiver], np.arange(len(order) + 1))
    structure = graph["batch"].cpu().numpy()
    _, first = np.unique(structure[order], return_index=True)
    roots = [int(order[i]) for i in np.sort(first)]
    taken, seen = np.zeros(len(order), dtype=bool), np.zeros(len(order), dtype=bool)
    room, waiting, others = most, deque(roots), iter(order.tolist())
    seen[roots] = True
    while True:
        atom = waiting.popleft() if waiting else next((a for a in others if not seen[a]), None)
        if atom is None:
            break
        seen[atom] = True
        own = by_receiver[starts[atom] : starts[atom + 1]]
        if len(own) > room and taken.any():
            break
        room -= len(own)
        taken[atom] = True
        for neighbour in sender[own].tolist():
            if not seen[neighbour]:
                seen[neighbour] = True
                waiting.append(neighbour)
    return taken, roots


def _of(graph: Graph, nodes: torch.Tensor, edges: torch.Tensor, number: torch.Tensor) -> dict[str, torch.Tensor]:
    atoms, structures = len(graph["positions"]), len(graph["ptr"]) - 1
    part: dict[str, torch.Tensor] = {}
    for name, tensor in graph.items():
        if name == "edge_index":
            part[name] = number.to(tensor.device)[tensor[:, edges]]
        elif name in EDGE_TENSORS:
            part[name] = tensor[edges]
        elif name not in GRAPH_TENSORS and tensor.dim() and len(tensor) == atoms:
            part[name] = tensor[nodes]
        else:
            part[name] = tensor
    counted = torch.bincount(part["batch"], minlength=structures)
    part["ptr"] = torch.cat([counted.new_zeros(1), counted.cumsum(0)]).to(graph["ptr"])
    return part
