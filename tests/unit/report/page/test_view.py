"""All that the report says, and a gate that speaks before the records."""

from __future__ import annotations

from mpcheck.report.page import summary_markdown
from mpcheck.report.page.view import Judgement, Page, page_of
from tests.unit import report_samples as samples
from tests.unit.report_samples import html_of


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
