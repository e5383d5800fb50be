"""Made-up outcomes of a gate."""

from __future__ import annotations

from dataclasses import replace

from mpcheck.gate.outcome import Outcome
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
