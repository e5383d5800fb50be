"""What every output of a session begins with: its outcome, whether the records are whole, and what was left out."""

from __future__ import annotations

from mpcheck.records.accounts import disorder, narrowing
from mpcheck.records.finding import Findings
from mpcheck.records.outcome import WORDS, judged, outcome
from mpcheck.records.record import Run


def word(document: Run | Findings) -> str:
    """The outcome, as people read it."""
    return WORDS[outcome(document)]


def standing(document: Run | Findings) -> list[str]:
    """The outcome with its counts, then a line for each thing that limits it."""
    rows = len(document.cells) + len(document.golden) if isinstance(document, Run) else len(document.findings)
    lines = [f"{word(document)}: {document.suite}, {judged(document)} of {rows} records judged, {len(document.plan)} planned"]
    lines += [f"not whole: {line}" for line in disorder(document)]
    return lines + [line for line in (narrowing(document),) if line]


def hint(document: Run | Findings) -> list[str]:
    """What to do where nothing was judged."""
    if outcome(document) != "nothing judged":
        return []
    rows = document.cells if isinstance(document, Run) else document.findings
    reasons = [f"{row.verdict}: {row.reason}" for row in rows if row.reason]
    why = f": {reasons[0]}" if reasons else ""
    return [f"mpcheck: error: nothing was judged{why}; choose another --mp-device, --mp-backend or --mp-format, or store a baseline first"]
