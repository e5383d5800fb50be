"""The verdict as a sentence that a reviewer understands, and a line for every session."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass

from mpcheck._text import counted, shortened, visible
from mpcheck.records.finding import Findings
from mpcheck.records.items import GOLDEN, MISSING, Item
from mpcheck.records.outcome import WORDS, outcome
from mpcheck.records.read import Document, Results
from mpcheck.report.bench import verdict_line
from mpcheck.report.page.red import RedBlock, beyond
from mpcheck.report.page.text import figure

HEADLINE = 140  # characters of a reason in the sentence at the top
ORDER = ("fail", "missing", "pass", "degraded", "known-fault", "inconclusive", "no-baseline", "removed", "indistinguishable", "unsupported")


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
    found = Counter(i.verdict for i in items)
    return [(verdict, found[verdict]) for verdict in ORDER if found[verdict]]


def session_lines(results: Results) -> list[SessionLine]:
    """A line for every session, in the order of the gate."""
    by_session: dict[str, list[Item]] = {name: [] for name in results.documents}
    for item in results.items:
        by_session[item.session].append(item)
    return [
        SessionLine(name, WORDS[outcome(document)], tally(by_session[name]), document.seconds, _note(document, by_session[name]))
        for name, document in results.documents.items()
    ]


def _note(document: Document, items: Sequence[Item]) -> str:
    if isinstance(document, Findings):
        if document.suite == "bench" and items:
            return verdict_line(document).partition(": ")[2]
        return "" if items else "it recorded no conclusion at all"
    golden = [i for i in items if i.check == GOLDEN]
    drift = Counter(c.drift for c in document.cells)
    parts = [f"golden float64: {counted(len(golden), 'tensor')}, {sum(i.failed for i in golden)} differ"] if golden else []
    if drift["fail"] or drift["pass"]:
        parts.append(f"drift: {drift['pass']:,} within the stored ratios, {drift['fail']:,} beyond")
    if drift["inputs-moved"]:
        parts.append(f"drift: {counted(drift['inputs-moved'], 'cell')} beyond on inputs that another block moved")
    if drift["no-baseline"]:
        parts.append(f"drift: no baseline for {counted(drift['no-baseline'], 'cell')} on this device")
    return "; ".join(parts)


def sentence(results: Results, failures: Sequence[Item], blocks: Sequence[RedBlock]) -> str:
    """What is red, in which block, at which format, how far beyond the limit, since when; or what was judged and found right."""
    if results.outcome == "crashed" and results.disorder:
        recorded = sum(i.verdict != MISSING for i in failures)
        besides = f" {counted(recorded, 'recorded conclusion')} {'is' if recorded == 1 else 'are'} red besides." if recorded else ""
        return f"The run did not end, or its records are not whole: {visible(results.disorder[0])}. This is no green.{besides}"
    if failures:
        return _red(failures, blocks)
    judged = sum(i.verdict == "pass" for i in results.items if i.session != "profile")
    rest = [(v, n) for v, n in tally([i for i in results.items if i.session != "profile"]) if v != "pass"]
    others = ", ".join(f"{n:,} {v}" for v, n in rest)
    if results.verdict == "PASS":
        return f"Nothing is red: {counted(judged, 'conclusion')} passed." + (f" Besides these: {others}." if others else "")
    return "No check came to a verdict" + (f": {others}." if others else ".") + " This is no green: see below what was missing."


def _red(failures: Sequence[Item], blocks: Sequence[RedBlock]) -> str:
    first, block = failures[0], blocks[0]
    named = visible(first.subject, 80)
    parts = ", ".join(visible(p, 40) for p in (first.backend, first.variant) if p)
    where = "".join(f" {word} {visible(name, 60)}" for word, name in (("in", first.format), ("on", first.system)) if name)
    where += f" ({parts})" if parts else ""
    what = _what(first)
    text = f"{named} is red{where}: {what}" + ("" if what.endswith("…") else ".")
    if block.number > 1 or len(failures) > 1:
        subjects = len({i.subject for i in failures})
        text += f" In all {counted(len(failures), 'conclusion')} about {counted(subjects, 'subject')} {'is' if len(failures) == 1 else 'are'} red."
    return text + (f" Red {block.since}." if block.since.startswith("since") else f" It is {block.since}." if block.since else "")


def _what(item: Item) -> str:
    reason = shortened(item.reason, HEADLINE).rstrip(". ") or "it fails"
    if item.session != "precision":
        return f"{visible(item.check, 40)}: {reason}"
    if item.check == GOLDEN:
        return f"its float64 values are not the committed ones any more ({reason})"
    if over := beyond(item):
        return f"its rounding error is {over} (ratio {figure(item.ratio)}, allowed {figure(item.limit)})"
    return reason
