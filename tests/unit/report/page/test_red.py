"""What is red, since when, and how to repeat it."""

from __future__ import annotations

import math
import shlex

import pytest

from mpcheck.history.compare import compare
from mpcheck.history.gates import GateEntry, entry_of
from mpcheck.records.read import Results
from mpcheck.report.cards import cards
from mpcheck.report.page import summary_markdown
from mpcheck.report.page.commands import Commands
from mpcheck.report.page.red import SHOWN, red_cards, step
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
    assert [c.card.subject for c in page.cards] == [samples.CULPRIT, "model"]
    first = page.cards[0]
    assert [(r.item.subject, r.behind) for r in first.rows] == [(samples.CULPRIT, False)] * 4 + [("interactions.0", True)] * 4
    assert first.because == "interactions.0 (4 conclusions)" and first.number == 8


@pytest.mark.parametrize(("share", "place"), [(0.0, 0), (0.1, 0), (0.999, 4), (1.0, 4), (1.001, 5), (10.0, 8), (1e3, 16), (1e9, 20), (math.inf, 20)])
def test_what_is_beyond_never_stands_at_what_is_allowed(share: float, place: int) -> None:
    assert step(share) == place


def test_rows_are_shared_out_and_every_card_has_one() -> None:
    cells = [samples.cell(name, 9.0, format=fmt) for name in ("alpha.one", "beta.two") for fmt in ("bfloat16", "float16")]
    cells[2:] = [c.model_copy(update={"backend": "cueq"}) for c in cells[2:]]
    results = samples.results(samples.run(cells))
    shown = red_cards(cards(results), Commands(results), (), (), most=2)
    assert [len(card.rows) for card in shown] == [2, 1] and [card.number for card in shown] == [2, 2]


def test_since_when_comes_from_the_unbroken_run_of_the_history() -> None:
    results = samples.red()
    history = history_of(results, samples.results(*[samples.run(samples.grid()), *list(results.documents.values())[1:]]), results, results)
    page = page_of(results, history=history)
    assert page.cards[0].since == "since cccccccccccc (2026-01-03)"
    assert "Red since cccccccccccc" in page.sentence
    green = history_of(samples.results(samples.run(samples.grid())))
    assert page_of(results, history=green).cards[0].since.startswith("new: not red at aaaaaaaaaaaa")
    assert page_of(results).cards[0].since == ""


def test_what_is_new_against_the_base_is_marked() -> None:
    head = samples.red()
    base = samples.results(samples.run(samples.grid()), *list(head.documents.values())[1:])
    page = page_of(head, compare(base, head))
    rows = [row for card in page.cards for row in card.rows]
    assert all(r.new for r in rows if r.item.session == "precision")
    assert not any(r.new for r in rows if r.item.session == "bench")
    html, text = html_of(head, comparison=compare(base, head)), summary_markdown(head, compare(base, head))
    assert "new against base" in html
    assert "New failures: " in html
    assert "New failures: " in text


def test_every_red_cell_comes_with_the_command_that_repeats_it() -> None:
    results = samples.red()
    html = html_of(results)
    for red in (row for card in page_of(results).cards for row in card.rows):
        assert f">{red.command}</code>" in html
        assert shlex.split(red.command)[:2] == ["mpcheck", "bench" if red.item.session == "bench" else "run"]


def test_more_red_rows_than_are_shown_are_counted() -> None:
    results = samples.results(samples.run([samples.cell(f"blocks.{i}.linear", 3.0 + i) for i in range(SHOWN + 7)]))
    assert "7 more red conclusions in the records" in html_of(results)
    assert "7 more red conclusions in the records" in summary_markdown(results)
