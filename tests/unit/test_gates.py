"""The drift, golden and capability gates: green on sound values, red on changed ones, honest where they cannot tell."""

from __future__ import annotations

import dataclasses
from collections.abc import Callable
from pathlib import Path

import pytest

from mpcheck._errors import InputError
from mpcheck.checks.precision import CellKey
from mpcheck.history.compare import Comparison, compare
from mpcheck.history.ratios import baseline_path, changes, read_baseline, write_baseline
from mpcheck.judge.tolerances import load_tolerances, packaged
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


def test_drift_is_green_on_the_same_device(suite: Suite) -> None:
    assert suite.judge(KEY).drift == "pass"


def test_drift_sees_a_fault_below_the_universal_limit(suite: Suite, session: Session) -> None:
    """Truncation in the radial MLP stays under every universal limit; against the stored bias it stands out."""
    module = session.reference_backend.model.get_submodule(KEY.block)
    with planted.truncating(module):
        assert judge_by_limits(session, KEY).verdict == "pass"
        cell = suite.judge(KEY)
    assert (cell.verdict, cell.drift) == ("fail", "fail")
    assert "drifted" in cell.reason


def test_without_a_baseline_the_drift_verdict_says_so(session: Session, tmp_path: Path) -> None:
    cell = Suite(session, tmp_path).judge(KEY)
    assert (cell.verdict, cell.drift) == ("pass", "no-baseline")


def test_a_baseline_of_another_model_does_not_judge(session: Session, tmp_path: Path) -> None:
    foreign = baseline_of(session, [judge_by_limits(session, KEY)]).model_copy(update={"model": {"name": "x", "digest": "0"}})
    write_baseline(baseline_path(tmp_path, device_slug("cpu")), foreign)
    assert Suite(session, tmp_path).judge(KEY).drift == "no-baseline"


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


def test_an_exception_that_matches_nothing_is_an_error(session: Session, tmp_path: Path) -> None:
    path = tmp_path / "t.yaml"
    path.write_text(
        packaged("limits.yaml").read_text() + "  - {block: nowhere.*, format: [float32], rms: 2.0, reason: no block of this name exists at all}\n"
    )
    strict = Session(dataclasses.replace(session.options, tolerances=path))
    with pytest.raises(InputError, match="matches nothing"):
        strict.cells()


def test_range_is_a_reason_not_a_failure(session: Session, judge: Callable[..., Record]) -> None:
    library = session.check(SYSTEM).library
    reference = library.get("energy_sum")
    library._held = dataclasses.replace(reference, peaks={"forward": 1e6, "backward": 1.0})
    try:
        cell = judge("energy_sum", "float16", "forward")
    finally:
        library._held = None
    assert cell.verdict == "unsupported"
    assert "range" in cell.reason


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
