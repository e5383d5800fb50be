"""A part of a large structure: whole neighbourhoods, every structure, what blocks see there."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from ase import Atoms
from ase.build import bulk, molecule

from mpcheck.adapters.graph import make_graph
from mpcheck.reference.cut import atoms_in_turn, cut, edges_in_turn

ELEMENTS = ["H", "C", "O"]
R_MAX = 3.0


def crystal(size: int = 4) -> Atoms:
    cell = bulk("C", "diamond", 3.57, cubic=True) * (size, size, size)
    cell.numbers[::7] = 8
    cell.rattle(0.05, seed=1)
    return cell


def graph_of(*frames: Atoms) -> dict[str, torch.Tensor]:
    return make_graph(list(frames), ELEMENTS, R_MAX)


def degree(graph: dict[str, torch.Tensor]) -> torch.Tensor:
    return torch.bincount(graph["edge_index"][1], minlength=len(graph["positions"]))


def vectors(graph: dict[str, torch.Tensor]) -> torch.Tensor:
    sender, receiver = graph["edge_index"]
    return graph["positions"][receiver] - graph["positions"][sender] + graph["shifts"]


def test_a_small_graph_is_itself() -> None:
    graph = graph_of(molecule("H2O"))
    part = cut(graph, 0)
    assert part.keys() == graph.keys() and all(part[n] is graph[n] for n in graph)


@pytest.mark.parametrize("seed", [0, 1])
@pytest.mark.parametrize("most", [40, 500, 2000])
def test_neighbourhoods_are_whole_and_within_the_bound(most: int, seed: int) -> None:
    graph = graph_of(crystal())
    part = cut(graph, seed, most)
    kept = part["edge_index"].shape[1]
    assert 0 < kept <= most < graph["edge_index"].shape[1]
    assert kept > most - int(degree(graph).max()), "there was room for another neighbourhood"
    before = {tuple(np.round(p, 9)): int(d) for p, d in zip(graph["positions"].numpy(), degree(graph), strict=True)}
    mine = degree(part)
    for position, count in zip(part["positions"].numpy(), mine.tolist(), strict=True):
        assert count in (0, before[tuple(np.round(position, 9))])
    assert float(vectors(part).norm(dim=1).max()) <= R_MAX + 1e-9
    every = {tuple(v) for v in vectors(graph).numpy().round(9)}
    assert {tuple(v) for v in vectors(part).numpy().round(9)} <= every
    assert part["ptr"].tolist() == [0, len(part["positions"])] and part["edge_index"].max() < len(part["positions"])


def test_some_atom_sees_what_it_saw_two_layers_deep() -> None:
    graph = graph_of(crystal(5))
    part = cut(graph, 0, 900)
    mine, before = degree(part), degree(graph)
    where = {tuple(p): i for i, p in enumerate(graph["positions"].numpy().round(9))}
    full = [mine[i] == before[where[tuple(p)]] for i, p in enumerate(part["positions"].numpy().round(9))]
    sender, receiver = part["edge_index"]
    assert any(full[a] and all(full[b] for b in sender[receiver == a].tolist()) for a in range(len(mine)))


def test_every_structure_of_a_batch_stays() -> None:
    graph = graph_of(crystal(), molecule("H2O"), crystal(3), Atoms("O"))
    part = cut(graph, 3, 300)
    assert len(part["ptr"]) == 5 and (torch.diff(part["ptr"]) > 0).all()
    assert torch.equal(part["batch"], part["batch"].sort().values)
    assert torch.equal(torch.bincount(part["batch"], minlength=4).cumsum(0), part["ptr"][1:])
    assert torch.equal(part["cell"], graph["cell"]) and torch.equal(part["head"], graph["head"])


def test_one_atom_with_more_neighbours_than_the_bound_is_taken_whole() -> None:
    graph = graph_of(crystal(2))
    part = cut(graph, 0, 3)
    assert sorted(set(degree(part).tolist())) == [0, int(degree(part).max())] and degree(part).max() > 3


def test_crystals_of_one_atom_each_are_not_cut() -> None:
    graph = make_graph([bulk("C", "fcc", 2.2) for _ in range(4)], ELEMENTS, R_MAX)
    assert len(graph["positions"]) == len(graph["ptr"]) - 1
    assert torch.equal(cut(graph, 0, 5)["edge_index"], graph["edge_index"])


def test_the_first_are_of_every_kind() -> None:
    graph = graph_of(crystal())
    atoms, edges = atoms_in_turn(graph, 0), edges_in_turn(graph, 0)
    assert sorted(atoms) == list(range(len(graph["positions"]))) and sorted(edges) == list(range(graph["edge_index"].shape[1]))
    element = graph["node_attrs"].argmax(1)
    assert set(element[atoms[:8]].tolist()) == set(element.tolist()), "one atom in seven is oxygen"
    pairs = {tuple(p) for p in element[graph["edge_index"]].T.tolist()}
    assert {tuple(p) for p in element[graph["edge_index"][:, edges[:32]]].T.tolist()} == pairs
    lengths = vectors(graph).norm(dim=1)
    assert float(lengths[edges[:32]].min()) < float(lengths.quantile(0.25)) and float(lengths[edges[:32]].max()) > float(lengths.quantile(0.75))
    assert (atoms_in_turn(graph, 1) != atoms).any() and (atoms_in_turn(graph, 0) == atoms).all()
