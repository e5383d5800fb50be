"""The verdict as a sentence, and a line for every session."""

from __future__ import annotations

from typing import Any

import pytest

from mpcheck._text import visible
from mpcheck.report.page import summary_markdown
from mpcheck.report.page.view import page_of
from tests.unit import report_samples as samples
from tests.unit.report_samples import html_of


def test_the_verdict_names_block_format_backend_and_size() -> None:
    page = page_of(samples.red())
    assert page.verdict == "FAIL"
    for word in (samples.CULPRIT, "bfloat16", "e3nn", "3.20 times what is allowed", "It looks like: "):
        assert word in page.sentence
    assert page.sentence in visible(html_of(samples.red()), 10**7)


def test_green_is_said_with_all_that_was_not_judged() -> None:
    page = page_of(samples.green())
    assert page.verdict == "PASS"
    assert page.sentence.startswith("Nothing is red")
    told = {a.verdict: a.number for a in page.asides}
    assert told == {"degraded": 1, "known-fault": 1, "inconclusive": 1, "unsupported": 2}
    for verdict in told:
        assert verdict in page.sentence


def test_nothing_judged_is_no_pass() -> None:
    page = page_of(samples.results(samples.findings("audit", [samples.finding("dtypes", verdict="unsupported", reason="no CUDA device")])))
    assert page.verdict == "NOTHING JUDGED"
    assert "no green" in page.sentence
    assert "no CUDA device" in summary_markdown(
        samples.results(samples.findings("audit", [samples.finding("dtypes", verdict="unsupported", reason="no CUDA device")]))
    )


def test_a_session_that_recorded_nothing_is_no_pass() -> None:
    page = page_of(samples.results(samples.run(samples.grid()), samples.findings("audit", [])))
    assert {s.name: s.word for s in page.sessions} == {"precision": "PASS", "audit": "CRASHED"}


@pytest.mark.parametrize(
    ("row", "words"),
    [
        (samples.finding("conversion", "model", "fail", reason="key a is lost"), ("conversion", "key a is lost")),
        (samples.finding("equivariance", verdict="fail", ratio=7.0, limit=2.0, reason="turned"), ("equivariance", "turned")),
    ],
)
def test_other_sessions_failures_say_their_check_and_reason(row: Any, words: tuple[str, ...]) -> None:
    text = page_of(samples.results(samples.findings("symmetry", [row, samples.finding(subject="x")]))).sentence
    assert all(word in text for word in words)


def test_golden_values_that_changed_are_called_so() -> None:
    rows = [{"system": "builtin:water", "name": "readouts.0:out.0", "rms": 5.0, "max": 9.0, "limit": 2.0, "failure": "rms 5 > 2"}]
    text = page_of(samples.results(samples.run(samples.grid(), golden=rows))).sentence
    assert "readouts.0 is red" in text
    assert "float64 values are not the committed ones" in text
