"""Records of a run's tests: nothing that was planned is without one, and none is told twice."""

from __future__ import annotations

from types import SimpleNamespace
from typing import Any

import pytest

from mpcheck.pytest_plugin.collector import DIED, RECORD, Collector
from mpcheck.records.record import Part, Planned, Record

KEYS = {"t.py::a": "a", "t.py::b": "b", "t.py::c": "c"}


def record(key: str, verdict: str = "pass", check: str = "layout", number: int = 1, of: int = 1) -> Record:
    return Record(check=check, verdict=verdict, key=key, subject=key, part=Part(number=number, of=of))


def report(test: str, *records: Record, failed: str = "", when: str = "call") -> Any:
    return SimpleNamespace(nodeid=test, failed=bool(failed), longreprtext=failed, when=when, **{RECORD: [r.model_dump() for r in records]})


def planned(key: str, reason: str) -> Record:
    return Record(check="layout", verdict="fail", reason=reason, subject=key)


@pytest.fixture
def collector() -> Collector:
    made = Collector()
    made.suite, made.keys, made.places = "symmetry", KEYS, {key: place for place, key in enumerate("abc")}
    made.planned = {key: Planned(key=key, check="layout") for key in "abc"}
    return made


def conclusions(collector: Collector) -> list[tuple[str, str, str, int, int]]:
    collector.account(lambda work, reason: planned(work.key, reason))
    return [(r.key, r.verdict, r.reason, r.part.number, r.part.of) for r in collector.ordered()]


def test_records_come_in_the_order_of_the_plan(collector: Collector) -> None:
    for test, key in (("t.py::c", "c"), ("t.py::a", "a"), ("t.py::b", "b")):
        collector.pytest_runtest_logreport(report(test, record(key, number=2, of=2), record(key, number=1, of=2)))
    assert [(r.key, r.part.number) for r in collector.ordered()] == [(key, number) for key in "abc" for number in (1, 2)]
    assert collector.lost() == {} and collector.told_places() == {"records": ["0-2:2"]}


def test_work_whose_process_died_is_red(collector: Collector) -> None:
    collector.pytest_runtest_logreport(report("t.py::a", record("a")))
    collector.pytest_runtest_logreport(report("t.py::b", failed="E   Failed: worker 'gw0' crashed", when="setup"))
    assert conclusions(collector) == [
        ("a", "pass", "", 1, 1), ("b", "fail", "Failed: worker 'gw0' crashed (setup)", 1, 1), ("c", "fail", DIED, 1, 1),
    ]  # fmt: skip


def test_a_test_that_fails_beside_green_records_adds_a_red_one(collector: Collector) -> None:
    collector.planned = {"a": collector.planned["a"]}
    collector.pytest_runtest_logreport(report("t.py::a", record("a", number=1, of=2), record("a", number=2, of=2), failed="E  left a flag"))
    assert conclusions(collector) == [("a", "pass", "", 1, 3), ("a", "pass", "", 2, 3), ("a", "fail", "left a flag", 3, 3)]


def test_a_cell_that_does_not_tell_is_replaced(collector: Collector) -> None:
    collector.planned = {"a": collector.planned["a"]}
    collector.pytest_runtest_logreport(report("t.py::a", record("a", check="precision"), failed="E  left a flag"))
    assert conclusions(collector) == [("a", "fail", "left a flag", 1, 1)]


def test_a_red_record_explains_its_test(collector: Collector) -> None:
    collector.planned = {"a": collector.planned["a"]}
    collector.pytest_runtest_logreport(report("t.py::a", record("a", verdict="fail"), failed="E  fail"))
    assert collector.lost() == {}


def test_an_interrupted_run_has_no_red_for_what_it_did_not_reach(collector: Collector) -> None:
    collector.pytest_runtest_logreport(report("t.py::a", record("a")))
    collector.pytest_keyboard_interrupt(SimpleNamespace(typename="KeyboardInterrupt"))
    assert collector.interrupted == "KeyboardInterrupt after 1 of 3" and collector.lost() == {}
    collector.pytest_internalerror("one\ntwo: it broke\n")
    assert collector.interrupted == "internal error: two: it broke"


def test_reports_of_foreign_tests_are_nobodys_failure(collector: Collector) -> None:
    collector.planned = {}
    collector.pytest_runtest_logreport(report("other.py::x", failed="E  assert False"))
    assert collector.failed == {} and collector.lost() == {}
