"""Graphs hold every pair within the cut-off once, in an order of their own."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from ase import Atoms
from ase.neighborlist import neighbor_list

from mpcheck._errors import InputError
from mpcheck.adapters.graph import make_graph, model_elements

FRAME = Atoms("OH2CO", np.random.default_rng(2).uniform(0, 3, (5, 3)), cell=[3.0, 3.3, 3.6], pbc=[True, True, False])


def test_edges_are_those_of_a_neighbour_list_ordered_by_receiver_and_sender() -> None:
    graph = make_graph([FRAME], ["H", "C", "O"], 2.5)
    sender, receiver = graph["edge_index"].tolist()
    shifts = graph["unit_shifts"].long().tolist()
    listed = list(zip(receiver, sender, map(tuple, shifts), strict=True))
    assert listed == sorted(set(listed))
    i, j, image = neighbor_list("ijS", FRAME, 2.5)
    assert sorted(zip(j.tolist(), i.tolist(), map(tuple, image.tolist()), strict=True)) == listed
    vectors = graph["positions"][receiver] - graph["positions"][sender] + graph["shifts"]
    assert float(vectors.norm(dim=1).max()) <= 2.5


def test_frames_go_to_their_heads_or_the_first_in_float64() -> None:
    graph = make_graph([FRAME, Atoms("H"), Atoms("H", info={"head": "two"})], ["H", "C", "O"], 2.5, heads=("one", "two"))
    assert graph["ptr"].tolist() == [0, 5, 6, 7] and graph["head"].tolist() == [0, 0, 1]
    assert graph["node_attrs"].argmax(1).tolist() == [2, 0, 0, 1, 2, 0, 0]
    assert {t.dtype for t in graph.values() if t.is_floating_point()} == {torch.float64}


def test_a_missing_element_is_named() -> None:
    with pytest.raises(InputError, match="has O, which the model lacks"):
        make_graph([FRAME], ["H", "C"], 2.5)


def test_elements_are_in_one_hot_order(tiny: torch.nn.Module) -> None:
    assert model_elements(tiny) == ["H", "O"]
