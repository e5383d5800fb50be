"""The HTML page: texts of unknown people are shown, never acted upon by a browser; however large the records are, it is not."""

from __future__ import annotations

import re

import pytest

from mpcheck._text import visible
from mpcheck.report.page import MARKDOWN_BYTES
from mpcheck.report.page.as_html import POLICY, environment, html_page
from mpcheck.report.page.as_markdown import twin
from mpcheck.report.page.red import SHOWN
from mpcheck.report.page.text import NAME
from mpcheck.report.page.view import page_of
from tests.unit import report_samples as samples
from tests.unit.report.page.hostile_page import ATTRIBUTES, ELEMENTS, Reader, comparison, hostile

CLASSES = {
    "banner", "fail", "pass", "warn", "quiet", "kicker", "word", "repeat", "command", "cards", "num", "v", "count", "name", "tag",
    "one", "block", "red", "printed", "scroll",
    "pictures", "small", "facts", "columns", "told", "figure-title",
    "card", "pair", "again", "ratio", "scale", "mark", "tick", "ten", "hundred", "thousand", *(f"at{place}" for place in range(21)),
}  # fmt: skip


@pytest.mark.parametrize("text", samples.HOSTILE)
def test_a_page_holds_no_element_and_no_attribute_that_data_made(text: str) -> None:
    results = hostile(text)
    html = html_page(page_of(results, comparison(results, text), title=text), results, [])
    html.encode("utf-8")
    page = Reader()
    page.feed(html.removeprefix("<!doctype html>").strip())
    page.close()
    assert page.open == []
    assert page.elements <= ELEMENTS
    assert page.attributes <= ATTRIBUTES
    assert page.classes <= CLASSES
    assert all(re.fullmatch(r"#[a-z]+", link) for link in page.links)
    body = "".join(page.text)
    assert visible(text, NAME)[:60].rstrip() in body  # it is shown
    unseen = {c for c in body if not c.isprintable() and c != "\n"}
    assert not unseen


def test_a_page_forbids_what_it_does_not_need() -> None:
    html = html_page(page_of(samples.red()), samples.red(), [])
    assert "script-src" not in POLICY
    assert POLICY.startswith("default-src 'none'")
    assert html.index("Content-Security-Policy") < html.index("<style>")
    for pattern in (r"<script", r"\bsrc\s*=", r"@import", r"url\(", r"https?://"):
        assert not re.search(pattern, html), pattern


def test_a_template_cannot_forget_to_escape() -> None:
    made = environment().from_string("<p title='{{ text }}'>{{ text }}</p>").render(text="'<b>\x1b\u202e")
    assert made == "<p title='&#39;&lt;b&gt;\\x1b\\u202e'>&#39;&lt;b&gt;\\x1b\\u202e</p>"


@pytest.mark.parametrize("per_block", [400, 1])
def test_a_hundred_thousand_cells_fit_into_ten_megabytes(per_block: int) -> None:
    results = samples.many(100_000, per_block)
    page = page_of(results)
    html, text = html_page(page, results, []), twin(page, MARKDOWN_BYTES)
    assert len(html.encode()) < 8_000_000  # pictures take 2 MB at most
    assert len(text.encode()) < MARKDOWN_BYTES
    assert sum(len(card.rows) for card in page.cards) == len(results.failures) == SHOWN
