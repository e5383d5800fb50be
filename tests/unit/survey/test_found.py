"""What is told of a part: how it ended, what its records came to, and nothing green that is not."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from mpcheck._files.io import write_text
from mpcheck.records.record import Record
from mpcheck.survey.found import Ended, Finding, records_of_part, write_found
from mpcheck.survey.part import Cost, Part
from tests.unit.record_samples import findings

GREEN, RED = Ended(0, 4.0, last=("done",)), Ended(1, 4.0)


def part(**fields: Any) -> Part:
    return Part(**{"name": "p", "subject": "s", "title": "t", "order": 1, "cost": {"cpu": Cost(1)}, "words": ("x",), **fields})


def session(out: Path, records: list[Record], **fields: Any) -> Part:
    made = findings("audit", *records, **fields)
    write_text(out / "audit.json", json.dumps(made.model_dump(mode="json")))
    return part(session="audit", keeps=("dtypes",))


def told(one: Part, out: Path, ended: Ended) -> tuple[Record, list[Record], bool]:
    records, whole = records_of_part(one, out, ended)
    assert [(r.key, r.part.number, r.part.of) for r in records] == [("p", i, len(records)) for i in range(1, len(records) + 1)]
    assert {r.check for r in records[1:]} <= {"found"}
    return records[0], records[1:], whole


@pytest.mark.parametrize(
    ("ended", "said"),
    [
        (Ended(None, 9.0, 8.0, ("File x.py, line 3 in stuck",)), "did not end within 8 s and was ended in File x.py, line 3 in stuck"),
        (Ended(-11, 1.0), "was killed by signal 11"), (Ended(3, 1.0), "ended with status 3"), (GREEN, "left no found.json"),
    ],
)  # fmt: skip
def test_a_process_that_does_not_end_as_it_should_fails(ended: Ended, said: str, tmp_path: Path) -> None:
    first, rows, whole = told(part(module="m"), tmp_path, ended)
    assert (first.verdict, whole, rows) == ("fail", False, []) and said in first.reason


def test_a_refusal_is_the_reason(tmp_path: Path) -> None:
    ended = Ended(2, 1.0, last=("noise", "mpcheck: error: no such device"))
    for one in (part(module="m"), part(session="audit")):
        first, _, whole = told(one, tmp_path, ended)
        assert (first.verdict, first.reason, whole) == ("fail", "no such device", False)


def test_findings_of_a_module(tmp_path: Path) -> None:
    write_found(
        tmp_path, [Finding(name="a", verdict="pass", reason="fine", figures={"n": 1.0}), Finding(name="b", verdict="unsupported", reason="no")]
    )
    first, rows, whole = told(part(module="m"), tmp_path, GREEN)
    assert (first.verdict, first.reason, whole) == ("pass", "a: fine", True)
    assert [(r.subject, r.variant, r.verdict, r.figures) for r in rows] == [("a", "p", "pass", {"n": 1.0}), ("b", "p", "unsupported", {})]
    write_found(tmp_path, [Finding(name="a", verdict="pass"), Finding(name="b", verdict="fail", reason="narrow")])
    assert told(part(module="m"), tmp_path, GREEN)[0].verdict == "fail"
    assert told(part(module="m"), tmp_path, RED)[2] is False
    first, _, whole = told(part(module="m", leaves=("baselines/*/x.json",)), tmp_path, GREEN)
    assert (first.verdict, first.reason, whole) == ("fail", "left no baselines/*/x.json", False)


def test_a_green_session_keeps_the_figures_that_the_part_is_for(tmp_path: Path) -> None:
    from mpcheck.records.detail import figures

    rows = [Record(check="dtypes", subject="b", verdict="pass", detail=figures({"n": 2.0})), Record(check="size", subject="c", verdict="pass")]
    first, kept, whole = told(session(tmp_path, rows), tmp_path, GREEN)
    assert (first.verdict, first.reason, whole) == ("pass", "2 pass", True) and first.figures["pass"] == 2.0
    assert [(r.variant, r.figures) for r in kept] == [("p/dtypes:b", {"n": 2.0})]


def test_red_records_are_told_and_degraded_alone_is_degraded(tmp_path: Path) -> None:
    rows = [Record(check="size", subject="b", verdict="pass"), Record(check="engagement", subject="c", verdict="degraded", reason="naive")]
    first, kept, whole = told(session(tmp_path, rows), tmp_path, RED)
    assert (first.verdict, whole) == ("degraded", True) and "engagement:c" in first.reason
    assert [(r.verdict, r.reason, r.subject) for r in kept] == [("degraded", "naive", "c")]
    first, kept, _ = told(session(tmp_path, [*rows, Record(check="size", subject="d", verdict="fail", reason="off")]), tmp_path, RED)
    assert first.verdict == "fail" and len(kept) == 2


def test_an_exit_status_that_is_not_the_records_fails(tmp_path: Path) -> None:
    one = session(tmp_path, [Record(check="size", subject="b", verdict="pass")])
    first, _, whole = told(one, tmp_path, RED)
    assert (first.verdict, whole) == ("fail", False) and "its records say pass" in first.reason


def test_records_that_are_not_whole_fail_but_what_they_hold_is_told(tmp_path: Path) -> None:
    one = session(tmp_path, [Record(check="size", subject="b", verdict="fail", reason="off")], state="running")
    first, kept, whole = told(one, tmp_path, Ended(None, 5.0, 5.0))
    assert (first.verdict, whole) == ("fail", False) and [r.reason for r in kept] == ["off"]


def test_a_session_that_could_run_nothing_is_no_pass(tmp_path: Path) -> None:
    one = session(tmp_path, [Record(check="size", subject="b", verdict="unsupported", reason="no memory")])
    first, _, whole = told(one, tmp_path, Ended(2, 1.0))
    assert (first.verdict, whole) == ("unsupported", True) and "no memory" in first.reason
