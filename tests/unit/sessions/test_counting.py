"""What a session's pytest says while it runs."""

from __future__ import annotations

import io
from types import SimpleNamespace
from typing import Any

import pytest

from mpcheck._progress import Counted
from mpcheck.sessions.counting import Counting


def report(when: str, outcome: str) -> Any:
    return SimpleNamespace(when=when, outcome=outcome, passed=outcome == "passed", failed=outcome == "failed")


@pytest.fixture
def counting() -> Counting:
    made = Counting()
    made.counted = Counted(lambda _: None)
    return made


def test_each_test_is_counted_once(counting: Counting) -> None:
    counting.pytest_collection_finish(SimpleNamespace(items=[1, 2, 3, 4]))
    for when, outcome in [
        ("setup", "passed"),
        ("call", "passed"),
        ("teardown", "passed"),
        ("setup", "failed"),
        ("setup", "skipped"),
        ("call", "failed"),
    ]:
        counting.pytest_runtest_logreport(report(when, outcome))
    assert (counting.counted.total, counting.counted.done, counting.counted.red) == (4, 4, 2)


def test_processes_of_xdist_are_one_run(counting: Counting) -> None:
    for _ in range(2):
        counting.pytest_xdist_node_collection_finished(["a", "b", "c"])
    assert counting.counted.total == 3


def test_a_terminal_has_no_letters_and_a_pipe_has_pytest_s(counting: Counting, monkeypatch: pytest.MonkeyPatch) -> None:
    assert counting.pytest_report_teststatus(report("call", "passed")) is None
    stream = io.StringIO()
    monkeypatch.setattr(stream, "isatty", lambda: True, raising=False)
    monkeypatch.setattr("sys.stderr", stream)
    assert counting.pytest_report_teststatus(report("call", "failed")) == ("failed", "", "")
    assert counting.pytest_report_teststatus(report("setup", "failed")) == ("error", "", "")
    assert counting.pytest_report_teststatus(report("setup", "passed")) is None
