"""Blocks of a twin against the source's: nothing apart in a copy, and one wrong weight is in its block and those around it."""

from __future__ import annotations

import copy

import pytest
import torch

from mpcheck.adapters.backends.e3nn import BACKEND as E3NN
from mpcheck.adapters.backends.protocol import BackendModel
from mpcheck.checks.symmetry.block_twins import BlockDistance, distances
from mpcheck.sessions.run import Session
from tests.conftest import SYSTEM

BLOCK = "products.0.linear"


@pytest.fixture(scope="module")
def twin(session: Session) -> BackendModel:
    return E3NN.build(copy.deepcopy(session.reference_backend.model), torch.device("cpu"))


def measured(session: Session, twin: BackendModel) -> list[BlockDistance]:
    return distances(session.reference_backend, twin, session.graph(SYSTEM), session.tolerances, 0)


def test_a_copy_is_at_no_distance_and_one_weight_is_seen_where_it_is(session: Session, twin: BackendModel) -> None:
    sound = measured(session, twin)
    assert len({d.block for d in sound}) > 20 and not [d for d in sound if d.fails]
    weight = twin.model.get_submodule(BLOCK).weight
    with torch.no_grad():
        weight[0] *= 1 + 1e-9
    failed = {d.block for d in measured(session, twin) if d.fails}
    with torch.no_grad():
        weight[0] /= 1 + 1e-9
    assert BLOCK in failed and failed <= {BLOCK, "products.0"}


def test_no_number_fails() -> None:
    assert BlockDistance("b", "out", float("nan"), 1.0).fails and BlockDistance("b", "out", 1.1, 1.0).fails
    assert not BlockDistance("b", "out", 1.0, 1.0).fails


def test_a_block_that_raises_is_infinitely_far(session: Session, twin: BackendModel, monkeypatch: pytest.MonkeyPatch) -> None:
    def forward(*args: object, **named: object) -> None:
        raise KeyError("planted")

    monkeypatch.setattr(twin.model.get_submodule(BLOCK), "forward", forward)
    (row,) = [d for d in measured(session, twin) if d.block == BLOCK]
    assert row.fails and row.tensor.startswith("raised KeyError: 'planted'")
