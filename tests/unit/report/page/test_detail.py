"""Every conclusion within a budget of bytes; what is left out is counted."""

from __future__ import annotations

from mpcheck.report.page.detail import EACH, detail
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
