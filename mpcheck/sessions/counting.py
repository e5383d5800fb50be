"""What pytest says of a session while its tests run: how many have ended, how many are red, how long the rest takes."""

from __future__ import annotations

import sys
from collections.abc import Sequence
from typing import Any

import pytest

from mpcheck._progress import PROGRESS, Counted


class Counting:
    """Says how far the tests are; on a terminal in one line, in the place of pytest's row of dots."""

    def __init__(self) -> None:
        self.counted = Counted(PROGRESS)

    def pytest_collection_finish(self, session: Any) -> None:
        """What is to be done is known."""
        self._begin(len(session.items))

    @pytest.hookimpl(optionalhook=True)
    def pytest_xdist_node_collection_finished(self, ids: Sequence[str]) -> None:
        """The same of a process of xdist; each has all of it."""
        if not self.counted.total:
            self._begin(len(ids))

    def _begin(self, total: int) -> None:
        """A log has lines from here on, and none of a run that is refused: that is told in one."""
        PROGRESS.begin(logged=True)
        self.counted.begin(total)

    def pytest_runtest_logreport(self, report: Any) -> None:
        """A test has ended, or could not begin."""
        if report.when == "call" or (report.when == "setup" and not report.passed):
            self.counted.ended(report.failed)

    def pytest_report_teststatus(self, report: Any) -> tuple[str, str, str] | None:
        """No letter on a terminal."""
        if not sys.stderr.isatty() or (report.when != "call" and report.passed):
            return None
        return ("error" if report.failed and report.when != "call" else report.outcome), "", ""
