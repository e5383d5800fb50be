"""Records of a run's tests, gathered from every worker, in the order of the plan; and those of tests that left none."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Callable
from typing import Any

import pytest

from mpcheck._text import shortened
from mpcheck.records.outcome import red
from mpcheck.records.record import Planned
from mpcheck.records.shards import by_first_seen, runs

RECORD = "mpcheck_record"
"""Attribute of a test's report: it survives xdist's serialisation."""
KINDS = ("cell", "golden", "finding")
DIED = "ended without a record: the process that judged it died"


class Collector:
    """Gathers records on the controller.

    Attributes:
        suite: the session; empty until something of it is planned. planned: by key, in the order of the whole session, this shard's alone.
        places: of every key in the whole session. keys: by test. narrowed: see :class:`mpcheck.records.record.Accounted`.
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
        self.rows: list[tuple[str, dict[str, Any]]] = []

    def pytest_runtest_logreport(self, report: pytest.TestReport) -> None:
        """Every report passes here, whichever worker made it."""
        self.rows += getattr(report, RECORD, [])
        key = self.keys.get(report.nodeid)
        if key is not None and report.failed:
            self.failed.setdefault(key, told(report))

    def pytest_keyboard_interrupt(self, excinfo: Any) -> None:
        """Ctrl-C, or pytest's own exit."""
        self.interrupted = f"{excinfo.typename} after {len({data['key'] for _, data in self.rows})} of {len(self.planned)}"

    def pytest_internalerror(self, excrepr: Any) -> None:
        """Of pytest, or of a plugin."""
        self.interrupted = f"internal error: {shortened(str(excrepr).strip().splitlines()[-1], 300)}"

    def lost(self) -> dict[str, str]:
        """Planned work whose test failed without a red record, or which left no record at all, with the reason."""
        recorded = {data["key"] for _, data in self.rows}
        reds = {data["key"] for kind, data in self.rows if _red(kind, data)}
        found = {key: why for key, why in self.failed.items() if key not in reds}
        if not self.interrupted:
            found |= {key: self.failed.get(key, DIED) for key in self.planned if key not in recorded}
        return found

    def account(self, failed: Callable[[Planned, str], tuple[str, dict[str, Any]]]) -> None:
        """Give lost work its red record: in place of a cell's own, which did not tell, beside the findings of any other.

        Args:
            failed: makes it, of what was planned and the reason.
        """
        lost = self.lost()
        kept = [(kind, data) for kind, data in self.rows if not (kind == "cell" and data["key"] in lost)]
        held = Counter(data["key"] for _, data in kept)
        self.rows = [(k, d | {"part": {**d["part"], "of": held[d["key"]] + 1}} if d["key"] in lost else d) for k, d in kept]
        for key, why in lost.items():
            kind, data = failed(self.planned[key], why)
            number = held[key] + 1
            self.rows.append((kind, data | {"key": key, "part": {"number": number, "of": number}}))

    def ordered(self, kind: str) -> list[dict[str, Any]]:
        """Records of one kind in the order of the plan."""
        own = [data for k, data in self.rows if k == kind]
        return sorted(own, key=lambda data: (self.places.get(data["key"], len(self.places)), data["part"]["number"]))

    def told_places(self) -> dict[str, list[str]]:
        """Where the rows of the records stand in the whole session's, for a part of it."""
        findings = by_first_seen(self.ordered("finding"), lambda data: data["check"])
        found = {"cells": self.ordered("cell"), "golden": self.ordered("golden"), "findings": findings}
        return {name: runs(self.places[data["key"]] for data in rows) for name, rows in found.items() if rows}


def _red(kind: str, data: dict[str, Any]) -> bool:
    return bool(data["failure"]) if kind == "golden" else red(data["verdict"], data["tolerated"])


def told(report: pytest.TestReport) -> str:
    """Why a test failed, in a line."""
    text = report.longreprtext
    lines = re.findall(r"^E +(.*)$", text, re.MULTILINE) or [line for line in text.splitlines() if line.strip()] or ["it failed"]
    return shortened(lines[-1], 300) + (f" ({report.when})" if report.when in ("setup", "teardown") else "")
