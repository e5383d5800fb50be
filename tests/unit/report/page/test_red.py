"""What is red, since when, and how to repeat it."""

from __future__ import annotations

import shlex

from mpcheck.history.compare import compare
from mpcheck.history.gates import GateEntry, entry_of
from mpcheck.records.read import Results
from mpcheck.report.page import summary_markdown
from mpcheck.report.page.red import SHOWN
from mpcheck.report.page.view import page_of
from tests.unit import report_samples as samples
from tests.unit.report_samples import html_of


def history_of(*results: Results) -> list[GateEntry]:
    """An entry of each, at commits a, b, c …, a day apart."""
    found = []
    for day, one in enumerate(results, 1):
        entry = entry_of(one)
        found.append(entry.model_copy(update={"commit": f"{chr(96 + day)}" * 12, "date": f"2026-01-{day:02d}T00:00:00+00:00"}))
    return found


def test_a_composite_comes_after_the_block_inside_it_that_is_red() -> None:
    page = page_of(samples.red())
    assert [b.subject for b in page.blocks] == [samples.CULPRIT, "interactions.0", "model"]
    places = [r.item.subject for r in page.red]
    assert places.index(samples.CULPRIT) < places.index("interactions.0")


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


def test_more_red_rows_than_are_shown_are_counted() -> None:
    results = samples.results(samples.run([samples.cell(f"blocks.{i}.linear", 3.0 + i) for i in range(SHOWN + 7)]))
    assert "7 more red conclusions in the records" in html_of(results)
    assert "7 more red conclusions in the records" in summary_markdown(results)
