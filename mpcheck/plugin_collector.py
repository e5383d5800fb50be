"""Records of a run's tests, gathered from every worker, in the order of the tests."""

from __future__ import annotations

from typing import Any

import pytest

from mpcheck.shards import by_first_seen, runs

RECORD, PLACE = "mpcheck_record", "mpcheck_place"
"""Attributes of a test's report: they survive xdist's serialisation."""


class Collector:
    """Gathers records on the controller."""

    def __init__(self, config: pytest.Config) -> None:
        self.config = config
        self.placed: dict[str, list[tuple[int, dict[str, Any]]]] = {"cell": [], "golden": [], "finding": []}

    def pytest_runtest_logreport(self, report: pytest.TestReport) -> None:
        """Every report passes here, whichever worker made it."""
        for kind, data in getattr(report, RECORD, []):
            self.placed[kind].append((getattr(report, PLACE, 0), data))

    def rows(self, kind: str) -> list[dict[str, Any]]:
        """Records of one kind in the order of their tests."""
        return [data for _, data in sorted(self.placed[kind], key=lambda entry: entry[0])]

    def places(self) -> dict[str, list[str]]:
        """Where the rows of the records stand in the whole session's, for a part of it."""
        ordered = {kind: sorted(rows, key=lambda entry: entry[0]) for kind, rows in self.placed.items()}
        findings = by_first_seen(ordered["finding"], lambda entry: entry[1]["check"])
        found = {"cells": ordered["cell"], "golden": ordered["golden"], "findings": findings}
        return {name: runs(place for place, _ in rows) for name, rows in found.items() if rows}
