"""Structures whose edges lie where formulae are singular."""

from __future__ import annotations

import numpy as np
import pytest

from mpcheck.checks.physics.directions import labels
from mpcheck.checks.physics.small import NEIGHBOURS, blocks, frames, graph_of
from mpcheck.checks.physics.structure import Case
from mpcheck.judge.context import Key
from mpcheck.sessions.run import Session


@pytest.fixture(scope="module")
def case(run: Session) -> Case:
    return Case(run, Key("physics", "directions", "e3nn"), run.reference_backend.model, run.reference_backend.device)


def test_no_pair_is_beyond_the_cut_off() -> None:
    for rows in NEIGHBOURS.values():
        places = np.array([(0, 0, 0), *rows])
        lengths = np.linalg.norm(places[:, None] - places[None], axis=-1)[np.triu_indices(len(places), 1)]
        assert lengths.min() > 0.2 and lengths.max() < 0.995


def test_every_special_direction_is_there_from_both_ends(case: Case) -> None:
    graph = graph_of(case)
    vectors = graph["positions"][graph["edge_index"][1]] - graph["positions"][graph["edge_index"][0]]
    names = labels(vectors)
    assert len(set(names)) > 3 and len(names) == len(vectors)
    signed = {tuple(np.round(v / np.linalg.norm(v), 6) + 0.0) for v in vectors.numpy()}
    assert all(tuple(-x + 0.0 for x in direction) in signed for direction in signed)
    assert {(1.0, 0, 0), (0, 1.0, 0), (0, 0, 1.0)} <= signed


def test_elements_come_in_turn(case: Case) -> None:
    elements = case.context.model.elements
    for frame in frames(case).values():
        assert len(set(frame.get_chemical_symbols())) == min(len(elements), len(frame))


def test_blocks_come_in_the_order_of_the_model_and_composites_are_left_out(case: Case, run: Session) -> None:
    seen = list(blocks(case, run.reference_backend))
    names = [called.block.name for called in seen]
    assert all(called.block.kind != "composite" for called in seen) and len(set(names)) == len(names) > 15
    assert names.index("edge_vectors") < names.index("interactions.0.conv_tp") < names.index("interactions.1.conv_tp")
