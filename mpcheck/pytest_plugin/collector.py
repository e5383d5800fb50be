"""Records of a run's tests, gathered from every worker, in the order of the plan; and those of tests that left none."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Callable
from typing import Any

import pytest

from mpcheck._names import PRECISION
from mpcheck._text import shortened
from mpcheck.records.record import Part, Planned, Record
from mpcheck.records.shards import RECORDS, by_first_seen, runs

RECORD = "mpcheck_record"
"""Attribute of a test's report: it survives xdist's serialisation."""
DIED = "ended without a record: the process that judged it died"


class Collector:
    """Gathers records on the controller.

    Attributes:
        suite: the session; empty until something of it is planned. planned: by key, in the order of the whole session, this shard's alone.
        places: of every key in the whole session. keys: by test. narrowed: see :class:`mpcheck.records.document.Records`.
        interrupted: why the run ended early.
    """

    def __init__(self) -> None:
        self.suite = ""
        self.planned: dict[str, Planned] = {}
        self.places: dict[str, int] = {}
        self.keys: dict[str, str] = {}
        self.narrowed: dict[str, list[str]] = {}
        self.interrupted = ""
        self.failed: dict[str, str] = {}
        self.rows: list[Record] = []

    def pytest_runtest_logreport(self, report: pytest.TestReport) -> None:
        """Every report passes here, whichever worker made it."""
        self.rows += [Record.model_validate(data) for data in getattr(report, RECORD, [])]
        key = self.keys.get(report.nodeid)
        if key is not None and report.failed:
            self.failed.setdefault(key, told(report))

    def pytest_keyboard_interrupt(self, excinfo: Any) -> None:
        """Ctrl-C, or pytest's own exit."""
        self.interrupted = f"{excinfo.typename} after {len({record.key for record in self.rows})} of {len(self.planned)}"

    def pytest_internalerror(self, excrepr: Any) -> None:
        """Of pytest, or of a plugin."""
        self.interrupted = f"internal error: {shortened(str(excrepr).strip().splitlines()[-1], 300)}"

    def lost(self) -> dict[str, str]:
        """Planned work whose test failed without a red record, or which left no record at all, with the reason."""
        recorded = {record.key for record in self.rows}
        reds = {record.key for record in self.rows if record.red}
        reasons = {key: why for key, why in self.failed.items() if key not in reds}
        if not self.interrupted:
            reasons |= {key: self.failed.get(key, DIED) for key in self.planned if key not in recorded}
        return reasons

    def account(self, failed: Callable[[Planned, str], Record]) -> None:
        """Give lost work its red record: in place of a cell's own, which did not tell, beside the records of any other.

        Args:
            failed: makes it, of what was planned and the reason.
        """
        lost = self.lost()
        kept = [record for record in self.rows if not (record.check == PRECISION and record.key in lost)]
        held = Counter(record.key for record in kept)
        self.rows = [_part(r, r.part.number, held[r.key] + 1) if r.key in lost else r for r in kept]
        for key, why in lost.items():
            self.rows.append(_part(failed(self.planned[key], why).model_copy(update={"key": key}), held[key] + 1, held[key] + 1))

    def ordered(self) -> list[Record]:
        """Records in the order of the plan, those of one check together."""
        rows = sorted(self.rows, key=lambda record: (self.places.get(record.key, len(self.places)), record.part.number))
        return by_first_seen(rows, lambda record: record.check)

    def told_places(self) -> dict[str, list[str]]:
        """Where the records stand in the whole session's, for a part of it."""
        return {RECORDS: places} if (places := runs(self.places[record.key] for record in self.ordered())) else {}


def _part(record: Record, number: int, of: int) -> Record:
    return record.model_copy(update={"part": Part(number=number, of=of)})


def told(report: pytest.TestReport) -> str:
    """Why a test failed, in a line."""
    text = report.longreprtext
    lines = re.findall(r"^E +(.*)$", text, re.MULTILINE) or [line for line in text.splitlines() if line.strip()] or ["it failed"]
    return shortened(lines[-1], 300) + (f" ({report.when})" if report.when in ("setup", "teardown") else "")
