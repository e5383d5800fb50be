"""However large the records are, the report is not; what it leaves out it counts."""

from __future__ import annotations

import re

import pytest

from mpcheck.report.page import MARKDOWN_BYTES, summary_markdown
from mpcheck.report.page.detail import EACH, detail
from mpcheck.report.page.red import SHOWN
from mpcheck.report.page.view import page_of
from tests.unit import report_samples as samples
from tests.unit.report_samples import html_of


def test_every_cell_is_listed_with_its_worst_element() -> None:
    results = samples.green()
    found = detail(results)
    assert sum(len(g.rows) for g in found.groups) == found.total == len(results.items)
    assert found.left == found.alike == 0
    html = html_of(results)
    assert html.count("atom 3, 8x0e, channel 1") == sum(len(c.quantities) for c in results.documents["precision"].records)


def test_large_runs_list_the_worst_of_alike_cells_and_all_red_ones() -> None:
    results = samples.many(EACH + 4000)
    found = detail(results)
    rows = [row for group in found.groups for row in group.rows]
    assert sum(row.item.failed for row in rows) == len(results.failures) > 0
    assert len(rows) + found.alike + found.left == len(results.items)
    assert found.alike > 0
    assert f"{found.alike:,}" in html_of(results)


def test_rows_that_find_no_room_are_counted_and_red_ones_come_first() -> None:
    results = samples.red()
    found = detail(results, budget=4000)
    rows = [row for group in found.groups for row in group.rows]
    assert rows
    assert all(row.item.failed for row in rows)
    assert found.left == len(results.items) - len(rows)
    assert found.red_left == len(results.failures) - len(rows)


def test_the_size_of_a_row_is_never_below_what_is_written() -> None:
    for results in (
        samples.red(),
        samples.results(samples.run([samples.cell(text[:300], system=text[:300], reason=text) for text in samples.HOSTILE])),
    ):
        found = detail(results)
        html = html_of(results)
        start = html.index('<section id="detail">')
        written = len(html[start:].encode("utf-8"))
        assert written < sum(row.size for g in found.groups for row in g.rows) + 1500 * len(found.groups) + 3000


@pytest.mark.parametrize("per_block", [400, 1])
def test_a_hundred_thousand_cells_fit_into_ten_megabytes(per_block: int) -> None:
    results = samples.many(100_000, per_block)
    html, text = html_of(results), summary_markdown(results)
    assert len(html.encode()) < 8_000_000  # pictures take 2 MB at most
    assert len(text.encode()) < MARKDOWN_BYTES
    assert len(page_of(results).red) == len(results.failures) == SHOWN


def test_more_red_rows_than_are_shown_are_counted() -> None:
    results = samples.results(samples.run([samples.cell(f"blocks.{i}.linear", 3.0 + i) for i in range(SHOWN + 7)]))
    assert "7 more red conclusions in the records" in html_of(results)
    assert "7 more red conclusions in the records" in summary_markdown(results)


@pytest.mark.parametrize("limit", [900_000, 60_000, 8_000, 1_500, 300])
def test_markdown_keeps_to_its_limit_and_the_verdict_stays(limit: int) -> None:
    results = samples.results(samples.run([samples.cell(f"blocks.{i}." + "x" * 300, 3.0, reason="y" * 5000) for i in range(900)]))
    text = summary_markdown(results, limit_bytes=limit)
    assert len(text.encode()) <= limit
    assert "FAIL" in text.splitlines()[0]


def test_markdown_says_how_much_was_cut() -> None:
    results = samples.results(samples.run([samples.cell(f"blocks.{i}.linear", 3.0, reason="y" * 250) for i in range(90)]))
    text = summary_markdown(results, limit_bytes=20_000)
    found = re.search(r"([\d,]+) more red conclusions in the records", text)
    assert found is not None
    assert text.count("y" * 250) + int(found[1]) == 90
