"""The report says what is red, where, how much and since when; both its forms say the same."""

from __future__ import annotations

import shlex
from typing import Any

import pytest

from mpcheck._text import visible
from mpcheck.history.compare import compare
from mpcheck.history.gates import GateEntry, entry_of
from mpcheck.records.read import Results
from mpcheck.report.page import summary_markdown
from mpcheck.report.page.aside import asides
from mpcheck.report.page.text import figure
from mpcheck.report.page.view import Judgement, Page, page_of
from tests.unit import report_samples as samples
from tests.unit.report_samples import html_of


def history_of(*results: Results) -> list[GateEntry]:
    """An entry of each, at commits a, b, c …, a day apart."""
    found = []
    for day, one in enumerate(results, 1):
        entry = entry_of(one)
        found.append(entry.model_copy(update={"commit": f"{chr(96 + day)}" * 12, "date": f"2026-01-{day:02d}T00:00:00+00:00"}))
    return found


def test_the_verdict_names_block_format_backend_and_size() -> None:
    page = page_of(samples.red())
    assert page.verdict == "FAIL"
    for word in (samples.CULPRIT, "bfloat16", "e3nn", "3.20 times the limit", "ratio 3.20, allowed 1.00"):
        assert word in page.sentence
    assert page.sentence in visible(html_of(samples.red()), 10**7)


def test_a_composite_comes_after_the_block_inside_it_that_is_red() -> None:
    page = page_of(samples.red())
    assert [b.subject for b in page.blocks] == [samples.CULPRIT, "interactions.0", "model"]
    places = [r.item.subject for r in page.red]
    assert places.index(samples.CULPRIT) < places.index("interactions.0")


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


def test_since_when_comes_from_the_unbroken_run_of_the_history() -> None:
    results = samples.red()
    history = history_of(results, samples.results(*[samples.run(samples.grid()), *list(results.documents.values())[1:]]), results, results)
    page = page_of(results, history=history)
    assert page.red[0].since == "since cccccccccccc (2026-01-03)"
    assert "Red since cccccccccccc" in page.sentence
    green = history_of(samples.results(samples.run(samples.grid())))
    assert page_of(results, history=green).red[0].since.startswith("new: not red at aaaaaaaaaaaa")
    assert page_of(results).red[0].since == ""


def test_what_is_new_against_the_base_is_marked() -> None:
    head = samples.red()
    base = samples.results(samples.run(samples.grid()), *list(head.documents.values())[1:])
    page = page_of(head, compare(base, head))
    assert all(r.new for r in page.red if r.item.session == "precision")
    assert not any(r.new for r in page.red if r.item.session == "bench")
    html, text = html_of(head, comparison=compare(base, head)), summary_markdown(head, compare(base, head))
    assert "new against base" in html
    assert "New failures: " in html
    assert "New failures: " in text


def test_every_red_cell_comes_with_the_command_that_repeats_it() -> None:
    results = samples.red()
    html = html_of(results)
    for red in page_of(results).red:
        assert f">{red.command}</code>" in html
        assert shlex.split(red.command)[:2] == ["mpcheck", "bench" if red.item.session == "bench" else "run"]


def test_both_forms_come_in_the_same_order() -> None:
    head = samples.red()
    comparison = compare(samples.results(samples.run(samples.grid())), head)
    order = [
        "What is red",
        "What changed against the base",
        "Rounding ratios, block by block",
        "Latency against baseline",
        "Environment and provenance",
    ]
    for text in (html_of(head, comparison=comparison), summary_markdown(head, comparison)):
        places = [text.index(title) for title in order]
        assert places == sorted(places)


def test_sessions_that_differ_say_in_what() -> None:
    environment = samples.head()["environment"] | {"threads": 2}
    results = samples.results(samples.run(samples.grid()), samples.findings("audit", [samples.finding("dtypes")], environment=environment))
    rows = dict(next(f for f in page_of(results).facts if f.title == "Machine").rows)
    assert rows["threads"] == "1 (precision); 2 (audit)"
    assert rows["device_name"] == "Made Up"


def test_records_without_commit_and_date_are_unknown() -> None:
    environment = {k: v for k, v in samples.head()["environment"].items() if k not in ("commit", "date")}
    page = page_of(samples.results(samples.run(samples.grid(), environment=environment)))
    assert (page.commit, page.date) == ("unknown", "unknown")


def test_reasons_are_counted_most_frequent_first() -> None:
    rows = [samples.finding("dtypes", f"b.{i}", verdict="unsupported", reason="rare" if i == 0 else "common") for i in range(5)]
    (aside,) = asides(samples.results(samples.findings("audit", rows)).items)
    assert [(r.text, r.number) for r in aside.reasons] == [("common", 4), ("rare", 1)]


def test_a_ratio_that_is_not_finite_is_told() -> None:
    results = samples.results(samples.run([samples.cell(rms=None, verdict="fail", reason="3 values are not finite")]))
    assert "3 values are not finite" in page_of(results).sentence
    assert "✗ ∞" in html_of(results)


@pytest.mark.parametrize(("value", "text"), [(None, "–"), (0.0, "0.00"), (0.7, "0.70"), (1e-5, "1.0e-05"), (4e6, "4.0e+06"), (float("inf"), "∞")])
def test_figures(value: float | None, text: str) -> None:
    assert figure(value) == text


def test_a_page_of_equal_records_is_equal() -> None:
    assert html_of(samples.red()) == html_of(samples.red())
    assert isinstance(page_of(samples.red()), Page)


def test_a_gate_that_is_red_although_no_row_is_does_not_read_green() -> None:
    """A session that crashed leaves no records, so that those of the others, all green, would speak for it."""
    judgement = Judgement("FAIL", ("no verdict: audit of head: ended after 60 s <b>",))
    text = summary_markdown(samples.green(), judgement=judgement)
    assert text.startswith("# ✗ FAIL") and "Not every session came to a verdict. Nothing is red" in text and "audit of head" in text
    html = html_of(samples.green(), judgement=judgement)
    assert "<title>FAIL" in html and 'class="banner fail"' in html
    assert "<li>no verdict: audit of head: ended after 60 s &lt;b&gt;</li>" in html


def test_a_gate_may_let_be_what_base_has_too() -> None:
    page = page_of(samples.red(), judgement=Judgement("PASS", ("what is red is red in base, too",)))
    assert page.verdict == "PASS" and page.remarks == ["what is red is red in base, too"] and samples.CULPRIT in page.sentence
