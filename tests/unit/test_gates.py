"""The drift, golden and capability gates: green on sound values, red on changed ones, honest where they cannot tell."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest

from mpcheck.checks.precision import CellKey
from mpcheck.history.compare import Comparison, compare
from mpcheck.history.ratios import baseline_path, changes, read_baseline, write_baseline
from mpcheck.judge.tolerances import load_tolerances
from mpcheck.records.document import Records
from mpcheck.records.environment import device_slug
from mpcheck.records.read import Results
from mpcheck.records.record import Record
from mpcheck.sessions.finish import Accounts, assembled
from mpcheck.sessions.precision.drift import drifted
from mpcheck.sessions.precision.limits import judge_by_limits
from mpcheck.sessions.precision.suite import Suite
from mpcheck.sessions.run import Session
from tests.conftest import SYSTEM
from tests.faults import planted
from tests.unit.accounts import accounted, plan
from tests.unit.drifting import baseline_of

KEY = CellKey(SYSTEM, "interactions.1.conv_tp_weights", "e3nn", "bfloat16", "forward")


def made(session: Session, cells: list[Record]) -> Records:
    return assembled(Accounts("precision", plan(cells)["plan"], "complete"), session, accounted(cells), 1.0)


@pytest.fixture
def suite(session: Session, tmp_path: Path) -> Suite:
    write_baseline(baseline_path(tmp_path, device_slug("cpu")), baseline_of(session, [judge_by_limits(session, KEY)]))
    return Suite(session, tmp_path)


def test_loosening_a_baseline_is_named(session: Session) -> None:
    old = baseline_of(session, [judge_by_limits(session, KEY)])
    entry = old.cells[next(iter(old.cells))]["out"]
    worse = old.model_copy(update={"cells": {next(iter(old.cells)): {"out": [2 * entry[0], *entry[1:]]}}})
    limits = load_tolerances().drift
    assert changes(old, worse, limits)[1]
    assert not changes(worse, old, limits)[1]
    assert changes(old, old, limits) == ([], [])
    assert drifted(judge_by_limits(session, KEY), old.cells[next(iter(old.cells))], load_tolerances()) == []


def test_baseline_reads_back(session: Session, tmp_path: Path) -> None:
    baseline = baseline_of(session, [judge_by_limits(session, KEY)])
    write_baseline(tmp_path / "b.json", baseline)
    assert read_baseline(tmp_path / "b.json") == baseline


def compared(before: Records, after: Records) -> Comparison:
    return compare(Results({"precision": before}, [Path("before.json")]), Results({"precision": after}, [Path("after.json")]))


def test_compare_tells_identical_from_moved(session: Session, judge: Callable[..., Record]) -> None:
    cells = [judge("spherical_harmonics", "bfloat16"), judge("interactions.1.linear", "bfloat16")]
    before = made(session, cells)
    assert (compared(before, before).changes, compared(before, before).identical) == ([], 2)
    with planted.truncating(session.reference_backend.model.spherical_harmonics):
        moved = [judge("spherical_harmonics", "bfloat16"), cells[1]]
    found = compared(before, made(session, moved))
    assert [(c.kind, c.item) for c in found.changes] == [("new-failure", f"precision/precision:{SYSTEM}/spherical_harmonics-e3nn-bfloat16-forward")]
    assert (found.failed, found.identical) == (True, 1)
    gone = compared(before, made(session, moved[:1]))
    assert "gone" in {c.kind for c in gone.changes}
