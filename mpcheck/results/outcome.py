"""What a session's records amount to: how much was judged, and the status with which the session ends."""

from __future__ import annotations

from mpcheck.findings import Finding, Findings
from mpcheck.records import Cell, Run

UNJUDGED = ("unsupported", "inconclusive", "indistinguishable")
UNMEASURED = ("unsupported", "indistinguishable", "removed")  # of the bench session, where a first measurement is a result


def judged(document: Run | Findings) -> int:
    """Cells or findings that came to a conclusion, or were measured for the first time."""
    if isinstance(document, Run):
        return sum(c.verdict != "unsupported" for c in document.cells)
    without = UNMEASURED if document.suite == "bench" else UNJUDGED
    return sum(f.verdict not in without for f in document.findings)


def fails(item: Cell | Finding) -> bool:
    """Whether a cell or finding is red by itself: it fails, or something else than was asked for ran and nothing allows that."""
    return item.verdict == "fail" or (item.verdict == "degraded" and not item.tolerated)


def red(document: Run | Findings) -> bool:
    """Whether a test of the session fails."""
    if isinstance(document, Run):
        return any(map(fails, document.cells)) or any(row["failure"] for row in document.golden)
    return any(map(fails, document.findings))


def exit_code(document: Run | Findings) -> int:
    """0 green, 1 red, 2 where nothing was judged: as the session itself ends."""
    if red(document):
        return 1
    return 0 if judged(document) else 2
