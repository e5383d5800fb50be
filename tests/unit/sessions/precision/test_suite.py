"""The precision suite: green on sound values, red on changed ones, honest where it cannot tell."""

from __future__ import annotations

from pathlib import Path

import pytest

from mpcheck.checks.precision import CellKey
from mpcheck.history.ratios import baseline_path, write_baseline
from mpcheck.records.environment import device_slug
from mpcheck.sessions.precision.limits import judge_by_limits
from mpcheck.sessions.precision.suite import Suite
from mpcheck.sessions.run import Session
from tests.conftest import SYSTEM
from tests.faults import planted
from tests.unit.drifting import baseline_of

KEY = CellKey(SYSTEM, "interactions.1.conv_tp_weights", "e3nn", "bfloat16", "forward")


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
