"""What every output of a session begins with: its outcome, whether the records are whole, and what was left out."""

from __future__ import annotations

from mpcheck._errors import PREFIX
from mpcheck.records.accounts import disorder, narrowing
from mpcheck.records.document import Records
from mpcheck.records.outcome import WORDS, judged, outcome

STORE = "`mpcheck baseline update` stores what was measured, --against ENV|REF compares with another environment or commit"
"""What to do where nothing is stored."""


def word(document: Records) -> str:
    """The outcome, as people read it."""
    return WORDS[outcome(document)]


def standing(document: Records) -> list[str]:
    """The outcome with its counts, then a line for each thing that limits it."""
    lines = [f"{word(document)}: {document.suite}, {judged(document)} of {len(document.records)} records judged, {len(document.plan)} planned"]
    lines += [f"not whole: {line}" for line in disorder(document)]
    return lines + [line for line in (narrowing(document),) if line]


def hint(document: Records) -> list[str]:
    """What to do where nothing was judged."""
    if outcome(document) != "nothing judged":
        return []
    if document.records and all(record.verdict == "no-baseline" for record in document.records):
        return [f"{PREFIX}nothing was gated: {document.records[0].reason}; {STORE}"]
    reasons = [f"{record.verdict}: {record.reason}" for record in document.records if record.reason]
    why = f": {reasons[0]}" if reasons else ""
    return [f"{PREFIX}nothing was judged{why}; choose another device, backend, format, block or structure, or store a baseline first"]
