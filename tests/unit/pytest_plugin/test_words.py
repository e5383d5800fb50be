"""What pytest says of records: why a test fails, why it is skipped, and what JUnit's file has of a run."""

from __future__ import annotations

from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
from _pytest.junitxml import xml_key

from mpcheck.pytest_plugin.words import GOLDEN_TOLD, failures, tell_junit, unsupported, written
from mpcheck.records.tensors import Worst
from tests.unit.accounts import golden_record
from tests.unit.record_samples import cell, finding, quantity


def test_green_and_tolerated_records_say_nothing() -> None:
    assert failures([cell(), finding(), finding(verdict="unsupported"), finding(verdict="degraded", tolerated="--allow-degraded")]) == ""
    assert failures([finding(verdict="degraded", reason="another kernel")]).endswith(": degraded: another kernel")


def test_a_red_cell_tells_its_worst_element() -> None:
    worst = Worst(place="[3, 1]", value=1.5, expected=1.0, allowed=0.25)
    red = cell(quantities=[quantity("fine"), quantity("out", failures=["rms"], worst=worst)], verdict="fail", reason="rms ratio 9")
    assert failures([cell(), red]).splitlines() == [
        f"{red.id}: fail: rms ratio 9", "  worst element of out: [3, 1]: got 1.5, expected 1.0, allowed error 0.25",
    ]  # fmt: skip
    assert failures([finding(verdict="fail", reason="no", worst="atom 3")]).splitlines()[1:] == ["  worst: atom 3"]


def test_many_golden_values_are_counted_and_the_first_block_named() -> None:
    rows = [golden_record("builtin:water", f"block.{n}:out", failure="moved" if n >= 2 else "") for n in range(GOLDEN_TOLD + 5)]
    head, *lines = failures(rows).splitlines()
    assert head == (
        f"float64 values of builtin:water differ from baselines/numerics in {GOLDEN_TOLD + 3} of {GOLDEN_TOLD + 5} tensors, "
        "first in the output of block.2:"
    )
    assert len(lines) == GOLDEN_TOLD and lines[0] == "  block.2:out: moved"


def test_what_a_terminal_would_obey_is_not_passed_on() -> None:
    assert "\x1b" not in failures([finding(verdict="fail", reason="\x1b[2J")])
    assert "\x1b" not in unsupported([finding(verdict="unsupported", reason="\x1b[2J")])


def test_files_are_told_in_a_line_and_how_to_have_them_as_a_page() -> None:
    told = written([Path("my reports/precision.json"), Path("my reports/precision.md")])
    assert told == ["wrote my reports/precision.json, precision.md", "as one page: mpcheck report 'my reports' --html report.html"]
    assert written([]) == []


def test_a_test_is_skipped_where_none_of_its_work_could_run() -> None:
    missing = finding(verdict="unsupported", reason="no CUDA device")
    assert unsupported([missing, missing]) == "unsupported(no CUDA device)"
    assert unsupported([missing, finding()]) == "" and unsupported([]) == ""


class Xml:
    def __init__(self) -> None:
        self.properties: list[tuple[str, str]] = []
        self.reports: list[Any] = []

    def add_global_property(self, name: str, value: str) -> None:
        self.properties.append((name, value))

    def pytest_runtest_logreport(self, report: Any) -> None:
        self.reports.append(report)


@pytest.mark.parametrize(("came", "word", "errors"), [("pass", "PASS", 0), ("fail", "FAIL", 0), ("crashed", "CRASHED", 1)])
def test_junit_has_the_outcome_and_an_error_that_no_test_shows(came: Any, word: str, errors: int) -> None:
    xml = Xml()
    tell_junit(SimpleNamespace(stash={xml_key: xml}), came, ["a line"])  # type: ignore[arg-type]
    assert xml.properties == [("mpcheck", word)]
    assert [report.longrepr for report in xml.reports] == [f"{word}: a line"] * errors
    tell_junit(SimpleNamespace(stash={}), came, [])  # type: ignore[arg-type]  # a run that writes no such file
