"""What pytest says of a test's records."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import pytest

from mpcheck._names import GOLDEN, PRECISION
from mpcheck._text import shell, terminal
from mpcheck.records.outcome import WORDS, Outcome
from mpcheck.records.record import Record, first_changed
from mpcheck.report.figure import beyond

GOLDEN_TOLD = 8


def failures(records: Sequence[Record]) -> str:
    """Why a test fails; empty where none of its records is red."""
    lines = []
    for record in records:
        if record.red and record.check != GOLDEN:
            worst = _worst(record) or (f"worst: {record.worst}" if record.worst and record.check != PRECISION else "")
            lines += [": ".join(filter(None, (record.id, record.verdict, beyond(record.share), record.reason))), *([f"  {worst}"] if worst else [])]
    return "\n".join(terminal(line) for line in lines + _golden([record for record in records if record.check == GOLDEN]))


def _worst(record: Record) -> str:
    """The worst element of the first tensor that failed, in words."""
    for q in record.quantities:
        if q.failures and (w := q.worst) is not None:
            return f"worst element of {q.name}: {w.place}: got {w.value}, expected {w.expected}, allowed error {w.allowed}"
    return ""


def _golden(records: Sequence[Record]) -> list[str]:
    failed = [record for record in records if record.red]
    if not failed:
        return []
    block = first_changed(records)
    began = f", first in the output of {block}" if block else ", in no block's output"
    head = f"float64 values of {records[0].system} differ from baselines/numerics in {len(failed)} of {len(records)} tensors{began}:"
    return [head, *(f"  {record.tensor}: {record.reason}" for record in failed[:GOLDEN_TOLD])]


def written(files: Sequence[Path]) -> list[str]:
    """Where the records and what is made of them are, and how to have them as a page."""
    if not files:
        return []
    first, *others = files
    page = shell(["mpcheck", "report", str(first.parent), "--html", "report.html"])
    return [", ".join([f"wrote {first}", *(path.name for path in others)]), f"as one page: {page}"]


def unsupported(records: Sequence[Record]) -> str:
    """Why a test is skipped: none of its work could run here; empty where some could."""
    none = bool(records) and all(record.verdict == "unsupported" for record in records)
    return terminal(f"unsupported({records[0].reason})") if none else ""


def tell_junit(config: pytest.Config, came: Outcome, lines: Sequence[str]) -> None:
    """The outcome as a property of pytest's JUnit file; one that no test shows is an error in it, too."""
    from _pytest.junitxml import xml_key

    xml = config.stash.get(xml_key, None)
    if xml is None:
        return
    xml.add_global_property("mpcheck", WORDS[came])
    if came in ("crashed", "nothing judged"):
        text = "\n".join(lines)
        where = ("mpcheck", None, "outcome")
        xml.pytest_runtest_logreport(pytest.TestReport("mpcheck::outcome", where, {}, "failed", f"{WORDS[came]}: {text}", "call"))
