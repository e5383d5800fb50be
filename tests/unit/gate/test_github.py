"""What GitHub reads of a gate: nothing in it can be more than a text."""

from __future__ import annotations

from pathlib import Path

import pytest

from mpcheck._text import log
from mpcheck.gate.github import MOST, SUMMARY_BYTES, Annotation, remarks, tell
from mpcheck.history.objections import Objection
from tests.unit.gate.outcomes import HOSTILE, outcome, results


def test_commands_are_escaped() -> None:
    command = Annotation("error", HOSTILE, HOSTILE, HOSTILE, 3).command
    assert "\n" not in command and "\r" not in command and "\x1b" not in command
    properties, _, message = command.removeprefix("::error ").partition("::")
    assert {part.partition("=")[0] for part in properties.split(",")} == {"file", "line", "title"}
    assert message.count("%250A") == 1 and message.count("%0A") == 1
    assert command.startswith("::error file=a%3A%3Ab%250A%2Cc%0A")


def test_logs_hold_no_commands() -> None:
    assert not any(unsafe in log(HOSTILE) for unsafe in ("::", "##[", "\n", "\x1b", "\u2028"))
    assert not Annotation("error", "t", HOSTILE).text.startswith("::")


def test_ten_errors_then_how_many_more() -> None:
    found = remarks(outcome(results(*((f"block.{i}", "fail") for i in range(13)))))
    assert [r.kind for r in found] == ["error"] * MOST + ["notice"]
    assert found[-1].message.startswith("3 more")
    assert len(remarks(outcome(results(*((f"block.{i}", "fail") for i in range(MOST)))))) == MOST


def test_new_and_known_failures_are_told_apart() -> None:
    base, head = results(("old.x", "fail")), results(("old.x", "fail"), ("new.x", "fail"))
    by_title = {r.title: r for r in remarks(outcome(head, base))}
    assert by_title["mpcheck audit: old.x"].kind == "error" and "base has this, too" in by_title["mpcheck audit: old.x"].message
    assert "base" not in by_title["mpcheck audit: new.x"].message
    assert {r.kind for r in remarks(outcome(head, base, only_new=True))} == {"warning", "error"}


def test_summary_and_outputs_are_appended(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("GITHUB_STEP_SUMMARY", "GITHUB_OUTPUT"):
        (tmp_path / name).write_text("before\n")
        monkeypatch.setenv(name, str(tmp_path / name))
    tell(outcome(results(("x", "fail"), ("y", "fail")), results(("x", "fail"))), "# é" * SUMMARY_BYTES)
    assert (tmp_path / "GITHUB_OUTPUT").read_text() == "before\nverdict=FAIL\nfailures=2\nnew-failures=1\n"
    assert (tmp_path / "GITHUB_STEP_SUMMARY").stat().st_size <= SUMMARY_BYTES + 7


def test_outside_of_github_nothing_is_written(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capfd: pytest.CaptureFixture[str]) -> None:
    for name in ("GITHUB_STEP_SUMMARY", "GITHUB_OUTPUT"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.chdir(tmp_path)
    tell(outcome(results(("x", "pass"))), "text")
    assert list(tmp_path.iterdir()) == [] and capfd.readouterr() == ("", "")
    monkeypatch.setenv("GITHUB_OUTPUT", "outputs")
    tell(outcome(results(("x", "pass"))), "text")
    assert [path.name for path in tmp_path.iterdir()] == ["outputs"]


def test_what_speaks_against_a_gate_is_annotated_once_a_kind() -> None:
    objections = [Objection(kind="settings", what=f"{HOSTILE}{i}", effect="loosens") for i in range(20)]
    objections += [Objection(kind="model", what="a.model", effect="neutral"), Objection(kind="moved", what="x", effect="loosens")]
    found = remarks(outcome(results(("x", "fail")), objections=objections, allow=frozenset({"moved"})))
    assert [a.title for a in found] == ["mpcheck: settings", "mpcheck audit: x"] and found[0].message.endswith("and 19 more")
    assert "\n::error" not in found[0].command
