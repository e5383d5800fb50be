"""Findings as tables: any columns that a session declares, and what it says besides."""

from __future__ import annotations

from dataclasses import replace

import pytest

import mpcheck.report.findings as module
from mpcheck.report.findings import SHOWING, counts, entry, tables, worst_of
from mpcheck.sessions.registry import get
from tests.unit import record_samples as samples

PASSED = samples.finding(verdict="pass", ratio=0.4, limit=1.0, format="float32")
FAILED = samples.finding(verdict="fail", ratio=3.0, limit=1.0, format="float32", reason="beyond")


def test_a_field_shows_the_worst() -> None:
    close = samples.finding(verdict="pass", ratio=0.9, limit=1.0)
    assert worst_of([PASSED, FAILED, close]) is FAILED and worst_of([PASSED, close]) is close
    assert entry([PASSED, FAILED]) == ("FAIL 3.00", "fail") and entry([PASSED]) == ("0.40", "pass")
    assert counts(samples.findings("symmetry", PASSED, FAILED)) == {"pass": 1, "fail": 1}


def test_columns_are_those_that_the_session_declares(monkeypatch: pytest.MonkeyPatch) -> None:
    run = samples.findings("symmetry", PASSED)
    spec = replace(get("symmetry"), columns=("system", "subject", "backend"))
    monkeypatch.setattr(module, "get", lambda _: spec)
    ((columns, (row,)),) = tables(run).values()
    assert columns == ["float32"] and row == (PASSED.system, PASSED.subject, PASSED.backend, [("0.40", "pass")])
    assert "system" in SHOWING.terminal(run) and "| system | subject | backend |" in SHOWING.markdown(run)


def test_notes_are_told_to_every_reader() -> None:
    run = samples.findings("symmetry", PASSED)
    assert "quiet machine" in SHOWING.terminal(run, ["a quiet machine"]) and "- a quiet machine" in SHOWING.markdown(run, ["a quiet machine"])
    assert "quiet machine" not in SHOWING.terminal(run)
    assert SHOWING.note(run, []) and not SHOWING.note(run, [samples])  # type: ignore[list-item]  # only whether there is one


def test_leaves_come_before_composites_and_a_red_property_says_which_blocks_passed() -> None:
    def one(check: str, subject: str, verdict: str, **fields: object) -> object:
        return samples.finding(check=check, subject=subject, verdict=verdict, reason=f"{subject} is off", **fields)

    red = [one("equivariance", "interactions.0", "fail"), one("equivariance", "interactions.0.linear", "fail")]
    run = samples.findings("symmetry", *red)  # type: ignore[arg-type]
    text = SHOWING.terminal(run)
    assert text.index("interactions.0.linear is off") < text.index("interactions.0 is off") and "no block is red" not in text
    ((_, rows),) = [t for name, t in tables(run).items() if name == "equivariance"]
    assert [row[0] for row in rows] == ["interactions.0.linear", "interactions.0"]
    passed = [one("equivariance", "interactions.0.linear", "pass"), one("equivariance", "model", "fail")]
    alone = samples.findings("symmetry", *passed)  # type: ignore[arg-type]
    for shown in (SHOWING.terminal(alone), SHOWING.markdown(alone)):
        assert "o block is red: all 1 blocks of the model passed: equivariance (1)" in shown
