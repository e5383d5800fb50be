"""The verdict as a sentence that a reviewer understands, and a line for every session."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass

from mpcheck._names import GOLDEN, PRECISION
from mpcheck._text import counted, shortened, visible
from mpcheck.records.items import Item
from mpcheck.records.outcome import WORDS, outcome
from mpcheck.records.read import Results
from mpcheck.records.verdicts import MISSING, ON_A_PAGE
from mpcheck.report.page.red import RedCard, beyond, names
from mpcheck.report.showing import showing
from mpcheck.sessions.registry import get

HEADLINE = 140  # characters of a reason in the sentence at the top


@dataclass(frozen=True)
class SessionLine:
    """What one session came to: its word, its conclusions by verdict, and what it says in its own words."""

    name: str
    word: str
    counts: list[tuple[str, int]]
    seconds: float
    note: str


def tally(items: Sequence[Item]) -> list[tuple[str, int]]:
    """Conclusions by verdict, worst first."""
    counts = Counter(i.verdict for i in items)
    return [(verdict, counts[verdict]) for verdict in ON_A_PAGE if counts[verdict]]


def session_lines(results: Results) -> list[SessionLine]:
    """A line for every session, in the order of the gate."""
    by_session: dict[str, list[Item]] = {name: [] for name in results.documents}
    for item in results.items:
        by_session[item.session].append(item)
    return [
        SessionLine(name, WORDS[outcome(document)], tally(by_session[name]), document.seconds, showing(document).note(document, by_session[name]))
        for name, document in results.documents.items()
    ]


def sentence(results: Results, failures: Sequence[Item], shown: Sequence[RedCard], number: int) -> str:
    """What is red, in which block, at which format, how far beyond the limit, since when; or what was judged and found right."""
    if results.outcome == "crashed" and results.disorder:
        recorded = sum(i.verdict != MISSING for i in failures)
        besides = f" {counted(recorded, 'recorded conclusion')} {'is' if recorded == 1 else 'are'} red besides." if recorded else ""
        return f"The run did not end, or its records are not whole: {visible(results.disorder[0])}. This is no green.{besides}"
    if failures:
        return _red(failures, shown, number)
    judged = sum(i.verdict == "pass" for i in results.items if get(i.session).judges)
    rest = [(v, n) for v, n in tally([i for i in results.items if get(i.session).judges]) if v != "pass"]
    others = ", ".join(f"{n:,} {v}" for v, n in rest)
    if results.verdict == "PASS":
        return f"Nothing is red: {counted(judged, 'conclusion')} passed." + (f" Besides these: {others}." if others else "")
    return "No check came to a verdict" + (f": {others}." if others else ".") + " This is no green: see below what was missing."


def _red(failures: Sequence[Item], shown: Sequence[RedCard], number: int) -> str:
    one = shown[0]
    first, several = one.card.worst, len(one.card.blocks) > 1
    named = visible(one.card.subject, 80) + (f" and {len(one.card.blocks) - 1} more" if several else "")
    where = "".join(
        f" {word} {names(one.card.names(what))}" for word, what in (("in", "format"), ("on", "backend")) if one.card.names(what)
    )  # fmt: skip
    what = _what(first)
    text = f"{named} {'are' if several else 'is'} red{where}: {what}" + ("" if what.endswith("…") else ".")
    if first.check in (PRECISION, GOLDEN):
        text += f" It looks like: {one.card.looks}."
    if len(failures) > 1:
        text += f" All {len(failures):,} red conclusions are on {'one card' if number == 1 else counted(number, 'card')}, a card a mistake."
    return text + (f" Red {one.since}." if one.since.startswith("since") else f" It is {one.since}." if one.since else "")


def _what(item: Item) -> str:
    reason = shortened(item.reason, HEADLINE).rstrip(". ") or "it fails"
    if item.check not in (PRECISION, GOLDEN):
        return f"{visible(item.check, 40)}: {reason}"
    if item.check == GOLDEN:
        return f"its float64 values are not the committed ones any more ({reason})"
    if over := beyond(item):
        return f"the worst error is {over}"
    return reason
