"""What records amount to: the one function that everything a person or a program is shown goes by."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Literal, get_args

from mpcheck.records.accounts import disorder
from mpcheck.records.document import Records
from mpcheck.sessions.registry import get

Outcome = Literal["crashed", "fail", "nothing judged", "pass"]
OUTCOMES: tuple[Outcome, ...] = get_args(Outcome)
"""Worst first: of several sessions the worst one counts."""
STATUS: dict[Outcome, int] = {"crashed": 1, "fail": 1, "nothing judged": 2, "pass": 0}
"""Exit status of every command that has an outcome."""
WORDS: dict[Outcome, str] = {"crashed": "CRASHED", "fail": "FAIL", "nothing judged": "NOTHING JUDGED", "pass": "PASS"}
"""What people read."""


def outcome(document: Records) -> Outcome:
    """What one session came to.

    ``crashed``: it did not end, or its records are not whole. ``fail``: a record is red. ``pass``: nothing is red, and something was judged
    and found right. ``nothing judged``: all the rest, such as a session that only found known faults, had nothing to compare with, or only
    measures.
    """
    if disorder(document):
        return "crashed"
    if any(record.red for record in document.records):
        return "fail"
    passed = any(record.verdict == "pass" for record in document.records)
    return "pass" if passed and get(document.suite).judges else "nothing judged"


def combined(documents: Iterable[Records], forgiven: Iterable[str] = ()) -> Outcome:
    """Of several sessions: the worst; ``nothing judged`` of none. A session that only measures takes nothing from the others' verdict.

    Args:
        forgiven: sessions whose failures count as passes.
    """
    let = set(forgiven)
    every = [(document.suite, outcome(document)) for document in documents]
    came: list[Outcome] = ["pass" if one == "fail" and suite in let else one for suite, one in every]
    told = [one for (suite, _), one in zip(every, came, strict=True) if get(suite).judges or one != "nothing judged"]
    return worst(told)


def worst(outcomes: Iterable[Outcome]) -> Outcome:
    """The worst of some; ``nothing judged`` of none."""
    return min(outcomes, key=OUTCOMES.index, default="nothing judged")


def judged(document: Records) -> int:
    """How many records say that something was right or wrong."""
    return sum(record.verdict in ("pass", "fail") or record.red for record in document.records)
