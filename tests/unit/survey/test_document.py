"""The records of a survey: every part that was asked for has one, whatever became of it."""

from __future__ import annotations

from typing import Any

from mpcheck.records.outcome import outcome
from mpcheck.records.record import Record
from mpcheck.survey.document import document, not_started, notes
from mpcheck.survey.part import Cost, Part, Scale
from mpcheck.survey.state import PartState, SurveyState
from tests.unit.record_samples import environment

SCALE = Scale("cpu", toy=True)
PARTS = [Part(name=n, subject="s", title="t", order=i, cost={"toy": Cost(7)}, words=(), module="m") for i, n in enumerate(["a", "b", "c"])]
FACTS: dict[str, Any] = {"environment": environment(), "options": {"device": "cpu"}, "seconds": 12.345}


def found(name: str, subject: str = "") -> Record:
    return Record(check="part" if not subject else "found", subject=subject or name, verdict="pass", key=name)


def kept(code: str = "code", **parts: list[Record]) -> SurveyState:
    own = {n: PartState(name=n, key="k", status="ended", mpcheck=code, records=records) for n, records in parts.items()}
    return SurveyState(device="cpu", slug="cpu-x", size="toy", parts=own)


def test_what_was_left_out_what_waits_and_what_was_found() -> None:
    waits = not_started(PARTS[1], SCALE, -3.0, 60.0)
    told = document("survey", kept(a=[found("a"), found("a", "clock")]), PARTS, {"b": waits}, FACTS, "complete")
    assert [p.key for p in told.plan] == ["a", "b"] and told.narrowed == {"parts": ["c"]}
    assert [(r.check, r.subject) for r in told.records] == [("part", "a"), ("found", "clock"), ("part", "b")]
    assert told.records[-1].verdict == "inconclusive" and "it takes about 7 s, and of 60 s 0 s were left" in told.records[-1].reason
    assert told.seconds == 12.3 and told.options == {"device": "cpu"}


def test_a_part_that_runs_has_no_record_and_the_survey_no_end() -> None:
    running = kept(a=[])
    told = document("survey", running, PARTS, {}, FACTS, "running")
    assert [p.key for p in told.plan] == ["a"] and told.records == [] and outcome(told) == "crashed"


def test_what_a_reader_must_see() -> None:
    state = kept("earlier", a=[found("a")])
    toy, other, full = notes(state, "code", ["big.bin"])
    assert "nothing of it is a baseline" in toy and "1 part ran with another mpcheck than this one: a" in other and "no room for 1 file" in full
    assert notes(state.model_copy(update={"size": "full"}), "earlier", []) == []
