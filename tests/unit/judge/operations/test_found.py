"""What a cell's error comes from."""

from __future__ import annotations

import pytest
import torch

from mpcheck._torch_state import neutral
from mpcheck.formats import FLOAT64, get_format
from mpcheck.judge.operations.found import Found, Replayed
from mpcheck.judge.replay import replay_calls
from mpcheck.judge.tolerances import limits_for
from mpcheck.sessions.run import Session
from tests.conftest import SYSTEM
from tests.faults import narrowings, planted


def found(session: Session, block: str, fmt: str, direction: str, failed: dict[str, float] | None = None) -> Found:
    reference = session.library(SYSTEM).get(block)
    limits, exact = (limits_for(session.tolerances, block, "e3nn", f, direction) for f in (fmt, FLOAT64.name))
    with neutral():
        return Replayed(session.reference_backend, reference, get_format(fmt), direction, limits, exact).found(failed or {})


def test_a_green_cell_has_none(session: Session) -> None:
    clean = found(session, "readouts.1", "bfloat16", "backward")
    assert clean.first is None
    assert (clean.stored, clean.skipped, clean.formula, clean.groups) == ([], {}, [], [])
    assert {one.place.backward for one in clean.operations} == {False, True}
    assert [one.number for one in clean.operations] == list(range(1, len(clean.operations) + 1))
    assert {one.place.module.partition(".")[0] for one in clean.operations} == {"readouts"}


def test_only_what_is_done_in_the_block_is_counted(session: Session) -> None:
    assert all(one.place.inside for one in found(session, "readouts.0.linear", "float32", "forward").operations)


def test_additions_that_lose_too_much_together_are_followed(session: Session) -> None:
    with planted.sequential_scatter(torch.bfloat16):
        shown = found(session, "interactions.1.scatter", "bfloat16", "forward", {"out": 1.0})
    assert shown.first is None
    assert shown.groups[0].name == "aten.add.Tensor"
    assert shown.groups[0].count > 10
    assert shown.groups[0].ratio > 1
    assert sum(g.ratio > 1 for g in shown.groups) == 1


@pytest.mark.parametrize("factor", [1.0, 1.001])
def test_a_formula_is_told_by_the_code_s_own_float64(session: Session, factor: float) -> None:
    module = session.reference_backend.model.get_submodule("products.0.linear")
    with narrowings.changed(module, lambda x: x * factor):
        shown = found(session, "products.0.linear", "float32", "forward", {"out": 1.0})
    assert shown.first is None
    assert shown.formula == ([] if factor == 1.0 else ["out"])


def test_random_numbers_are_named_and_nothing_is_said_of_the_rest(session: Session) -> None:
    module = session.reference_backend.model.get_submodule("products.0.linear")
    with narrowings.changed(module, lambda x: x * (1 + torch.rand(x.shape, dtype=x.dtype))):
        shown = found(session, "products.0.linear", "float32", "forward", {"out": 1.0})
    assert shown.random == ["aten.rand.default"]
    assert (shown.first, shown.formula, shown.groups) == (None, [], [])


def test_watching_changes_nothing(session: Session) -> None:
    reference, fmt = session.library(SYSTEM).get("interactions.1"), get_format("bfloat16")
    with neutral():
        before = replay_calls(session.reference_backend, reference, fmt, "backward").results
        found(session, "interactions.1", "bfloat16", "backward")
        after = replay_calls(session.reference_backend, reference, fmt, "backward").results
    assert before.keys() == after.keys()
    assert all(torch.equal(t, after[n]) for n, t in before.items())
    assert all(p.dtype == torch.float64 for p in session.reference_backend.model.parameters())
