"""What records amount to: the one function that everything a person or a program is shown goes by."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Literal, get_args

from mpcheck.records.accounts import disorder
from mpcheck.records.finding import Finding, Findings
from mpcheck.records.record import Cell, Run

Outcome = Literal["crashed", "fail", "nothing judged", "pass"]
OUTCOMES: tuple[Outcome, ...] = get_args(Outcome)
"""Worst first: of several sessions the worst one counts."""
STATUS: dict[Outcome, int] = {"crashed": 1, "fail": 1, "nothing judged": 2, "pass": 0}
"""Exit status of every command that has an outcome."""
MEASURING = "profile"
"""The session that maps where time goes and judges nothing: its command ends with 0 where it measured, its outcome is no green."""
WORDS: dict[Outcome, str] = {"crashed": "CRASHED", "fail": "FAIL", "nothing judged": "NOTHING JUDGED", "pass": "PASS"}
"""What people read."""


def red(verdict: str, tolerated: str = "") -> bool:
    """Whether a record of this verdict turns its session red. One that another implementation than the asked-for one computed does, unless
    the user named it (``--allow-degraded``).
    """
    return verdict in ("fail", "missing") or (verdict == "degraded" and not tolerated)


def outcome(document: Run | Findings) -> Outcome:
    """What one session came to.

    ``crashed``: it did not end, or its records are not whole. ``fail``: a record is red. ``pass``: nothing is red, and something was judged
    and found right. ``nothing judged``: all the rest, such as a session that only found known faults, or had nothing to compare with.
    """
    if disorder(document):
        return "crashed"
    rows: list[Cell] | list[Finding] = document.cells if isinstance(document, Run) else document.findings
    golden = document.golden if isinstance(document, Run) else []
    if any(red(row.verdict, row.tolerated) for row in rows) or any(row["failure"] for row in golden):
        return "fail"
    passed = golden or any(row.verdict == "pass" for row in rows)
    return "pass" if passed and document.suite != MEASURING else "nothing judged"


def combined(documents: Iterable[Run | Findings], forgiven: Iterable[str] = ()) -> Outcome:
    """Of several sessions: the worst; ``nothing judged`` of none. A session that only measures takes nothing from the others' verdict.

    Args:
        forgiven: sessions whose failures count as passes.
    """
    let = set(forgiven)
    every = [(document.suite, outcome(document)) for document in documents]
    came: list[Outcome] = ["pass" if one == "fail" and suite in let else one for suite, one in every]
    told = [one for (suite, _), one in zip(every, came, strict=True) if suite != MEASURING or one != "nothing judged"]
    return worst(told)


def worst(outcomes: Iterable[Outcome]) -> Outcome:
    """The worst of some; ``nothing judged`` of none."""
    return min(outcomes, key=OUTCOMES.index, default="nothing judged")


def judged(document: Run | Findings) -> int:
    """How many records say that something was right or wrong."""
    rows: list[Cell] | list[Finding] = document.cells if isinstance(document, Run) else document.findings
    golden = len(document.golden) if isinstance(document, Run) else 0
    return golden + sum(row.verdict in ("pass", "fail") or red(row.verdict, row.tolerated) for row in rows)
