"""What GitHub reads of a gate: nothing in it can be more than a text."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pytest

from mpcheck._text import log
from mpcheck.gate.github import MOST, SUMMARY_BYTES, Annotation, remarks, tell
from mpcheck.gate.outcome import Outcome, Place, place_of
from mpcheck.gate.sessions import Crash
from mpcheck.history.objections import Objection
from mpcheck.records.document import Records
from mpcheck.records.read import Results
from mpcheck.records.record import Record
from tests.unit.accounts import fields

HOSTILE = "a::b%0A,c\n::error ::owned\r##[add-mask]x\x1b[31m\u2028end"


def results(*verdicts: tuple[str, str], reason: str = "too large") -> Results:
    """Findings of an audit: subjects and verdicts."""
    rows = [Record(check="dtypes", subject=s, verdict=v, reason=reason, ratio=2.0, limit=1.0) for s, v in verdicts]  # type: ignore[arg-type]
    document = Records(
        suite="audit",
        mpcheck="0",
        environment={"platform": "p", "device_name": "n", "device_slug": "s", "packages": {}},
        model={"name": "m", "digest": "d"},
        systems=[],
        options={},
        **fields(rows),
    )
    return Results({"audit": document})


def outcome(head: Results | None, base: Results | None = None, **more: object) -> Outcome:
    return replace(Outcome("b" if base is not None else "", "h", head, base), **more)


@pytest.mark.parametrize(
    ("head", "base", "only_new", "verdict", "code"),
    [
        ([("x", "pass")], None, False, "PASS", 0),
        ([("x", "fail")], None, False, "FAIL", 1),
        ([("x", "fail")], [("x", "fail")], False, "FAIL", 1),
        ([("x", "fail")], [("x", "fail")], True, "PASS", 0),
        ([("x", "fail"), ("y", "pass")], [("x", "fail")], True, "PASS", 0),
        ([("x", "fail"), ("y", "fail")], [("x", "fail")], True, "FAIL", 1),
        ([("x", "unsupported")], None, False, "NOTHING JUDGED", 2),
    ],
)
def test_verdicts(head: list[tuple[str, str]], base: list[tuple[str, str]] | None, only_new: bool, verdict: str, code: int) -> None:
    found = outcome(results(*head), results(*base) if base is not None else None, only_new=only_new)
    assert (found.verdict, found.code) == (verdict, code)


def test_a_crash_of_head_is_red_and_one_of_base_is_not() -> None:
    green = results(("x", "pass"))
    assert outcome(green, crashes=[Crash("base", "precision", "died")]).code == 0
    assert outcome(green, crashes=[Crash("head", "precision", "died")]).code == 1
    assert outcome(None, crashes=[Crash("head", "", "SyntaxError")]).code == 1
    assert outcome(None).code == 2


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


def test_places() -> None:
    places = {"interactions.1": Place("Interaction", "mace/blocks.py", 7), "": Place("MACE", "mace/models.py", 2)}
    assert place_of("interactions.1@2", places) == places["interactions.1"]
    inside = place_of("interactions.1.conv_tp.weights", places)
    assert inside is not None and (inside.owner, inside.own) == ("Interaction", False)
    model = place_of("energy_sum", places)
    assert model is not None and (model.file, model.own) == ("mace/models.py", False)
    assert place_of("interactions.1", {}) is None
    told = remarks(outcome(results(("interactions.1.linear", "fail")), places=places))[0]
    assert (told.file, told.line) == ("mace/blocks.py", 7) and "is inside this Interaction" in told.message


def test_summary_and_outputs_are_appended(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("GITHUB_STEP_SUMMARY", "GITHUB_OUTPUT"):
        (tmp_path / name).write_text("before\n")
        monkeypatch.setenv(name, str(tmp_path / name))
    tell(outcome(results(("x", "fail"), ("y", "fail")), results(("x", "fail"))), "# é" * SUMMARY_BYTES)
    assert (tmp_path / "GITHUB_OUTPUT").read_text() == "before\nverdict=FAIL\nfailures=2\nnew-failures=1\n"
    assert (tmp_path / "GITHUB_STEP_SUMMARY").stat().st_size <= SUMMARY_BYTES + 7


def test_outside_of_github_nothing_is_written(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("GITHUB_STEP_SUMMARY", "GITHUB_OUTPUT"):
        monkeypatch.delenv(name, raising=False)
    tell(outcome(results(("x", "pass"))), "text")


def test_what_speaks_against_a_gate_is_annotated_once_a_kind() -> None:
    objections = [Objection(kind="settings", what=f"{HOSTILE}{i}", effect="loosens") for i in range(20)]
    objections += [Objection(kind="model", what="a.model", effect="neutral"), Objection(kind="moved", what="x", effect="loosens")]
    found = remarks(outcome(results(("x", "fail")), objections=objections, allow=frozenset({"moved"})))
    assert [a.title for a in found] == ["mpcheck: settings", "mpcheck audit: x"] and found[0].message.endswith("and 19 more")
    assert "\n::error" not in found[0].command
