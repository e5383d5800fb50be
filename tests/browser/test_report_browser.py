"""The report in a real browser: on a phone, in the dark, printed, of 100,000 cells, and of hostile texts."""

from __future__ import annotations

import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from mpcheck.history.compare import compare
from mpcheck.history.gates import entry_of
from mpcheck.report.page import write_report
from tests.browser.conftest import Visit
from tests.unit import report_samples as samples

Opener = Callable[..., Visit]
SECONDS = 3.0  # in which a report must open, as promised
BYTES = 10_000_000
PRINTED = 720  # pixels of an A4 page between margins of 15 mm, about
OPEN_ALL = "document.querySelectorAll('details').forEach(d => { d.open = true })"


def hostile() -> Any:
    """Every hostile text as a block and as everything else of a cell."""
    cells = [
        samples.cell(text, 3.0, backend=text[:400], format=text[:400], system=text, reason=text)
        for text in samples.HOSTILE
    ]  # fmt: skip
    return samples.results(samples.run(cells), samples.findings("audit", [samples.finding(t, t, "known-fault", reason=t) for t in samples.HOSTILE]))


@pytest.fixture(scope="module")
def pages(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Path]:
    """A red report with base and history, a green one, one of hostile texts."""
    folder, red, green = tmp_path_factory.mktemp("reports"), samples.red(), samples.green()
    entries = [entry_of(one).model_copy(update={"commit": c * 12, "date": f"2026-01-0{day}T00:00:00+00:00"}) for day, (c, one) in
               enumerate([("a", green), ("b", green), ("c", red), ("d", red)], 1)]  # fmt: skip
    base = samples.results(samples.run(samples.grid()), *list(red.documents.values())[1:])
    made = {name: folder / f"{name}.html" for name in ("red", "green", "hostile")}
    write_report(red, made["red"], None, compare(base, red), entries)
    write_report(green, made["green"], None)
    write_report(hostile(), made["hostile"], None)
    return made


@pytest.mark.parametrize("scheme", ["light", "dark"])
@pytest.mark.parametrize("width", [390, 1280])
@pytest.mark.parametrize("name", ["red", "green", "hostile"])
def test_a_page_is_quiet_fetches_nothing_and_fits(visit: Opener, pages: dict[str, Path], name: str, width: int, scheme: str) -> None:
    opened = visit(pages[name], width, scheme)
    for _ in range(2):  # as it comes, then with everything unfolded
        assert opened.run("document.documentElement.scrollWidth") <= width
        opened.shoot(f"report-{name}-{width}-{scheme}")
        opened.run(OPEN_ALL)
    assert opened.said == []
    assert opened.fetched == [pages[name].as_uri()]
    assert opened.run("document.querySelectorAll('script, img, iframe, object, embed, link, form').length") == 0
    assert opened.run("[...document.querySelectorAll('a')].every(a => document.querySelector(a.getAttribute('href')))")


def test_light_and_dark_are_not_the_same(visit: Opener, pages: dict[str, Path]) -> None:
    grounds = {scheme: visit(pages["red"], scheme=scheme).run("getComputedStyle(document.body).backgroundColor") for scheme in ("light", "dark")}
    assert grounds == {"light": "rgb(255, 255, 255)", "dark": "rgb(15, 20, 25)"}


def test_the_verdict_comes_before_everything_and_is_a_word(visit: Opener, pages: dict[str, Path]) -> None:
    for name, word in (("red", "FAIL"), ("green", "PASS")):
        opened = visit(pages[name], 390)
        place = opened.run("(({top, bottom}) => [top, bottom])(document.querySelector('h1').getBoundingClientRect())")
        assert 0 <= place[0] < place[1] <= 900
        assert word in opened.run("document.querySelector('h1').innerText")


def test_every_picture_has_a_name_a_text_and_its_place(visit: Opener, pages: dict[str, Path]) -> None:
    opened = visit(pages["red"], 390)
    opened.run(OPEN_ALL)
    drawn = opened.run(
        """[...document.querySelectorAll('svg')].map(s => ({role: s.getAttribute('role'), title: s.querySelector('title')?.textContent,
        text: s.querySelector('desc')?.textContent, right: s.getBoundingClientRect().right, high: s.getBoundingClientRect().height}))"""
    )
    assert len(drawn) >= 5
    for one in drawn:
        assert one["role"] == "img"
        assert one["title"]
        assert one["text"]
        assert one["right"] <= 390
        assert one["high"] > 20


def test_a_mistake_is_a_card_whose_figure_stands_on_a_scale(visit: Opener, pages: dict[str, Path]) -> None:
    for width in (390, 1280):
        opened = visit(pages["red"], width)
        cards = opened.run(
            """[...document.querySelectorAll('#red .card')].map(c => ({name: c.querySelector('.name').textContent,
            mark: c.querySelector('.scale .mark')?.getBoundingClientRect().x, one: c.querySelector('.scale .one')?.getBoundingClientRect().right,
            ten: c.querySelector('.scale .ten')?.getBoundingClientRect().x}))"""
        )
        assert [card["name"] for card in cards] == ["interactions.0.linear", "model"]
        assert cards[0]["one"] < cards[0]["mark"] + 16 < cards[0]["ten"] + 16, "3.2 times stands between 1 and 10"
        assert cards[1]["mark"] is None, "a time has no scale of errors"
        places = opened.run("['#red', '#sessions', '#ratios'].map(s => document.querySelector(s).getBoundingClientRect().y)")
        assert places == sorted(places)


def test_one_click_selects_a_command(visit: Opener, pages: dict[str, Path]) -> None:
    opened = visit(pages["red"])
    opened.page.click("header .command")
    assert opened.run("getSelection().toString()").strip() == opened.run("document.querySelector('header .command').textContent")
    assert opened.run("document.querySelector('header .command').textContent").startswith("mpcheck run ")


def test_what_is_folded_is_printed(visit: Opener, pages: dict[str, Path], tmp_path: Path) -> None:
    opened = visit(pages["red"], PRINTED, "dark")
    seen = "[...document.querySelectorAll('{}')].map(e => e.checkVisibility({{contentVisibilityAuto: true}}))"
    wanted, rest = seen.format("#detail .red table, #red dl, #ratios table"), seen.format("#detail .block:not(.red) table")
    assert not all(opened.run(wanted))
    opened.page.emulate_media(media="print")
    assert all(opened.run(wanted))
    assert opened.run(rest)
    assert not any(opened.run(rest))  # cells that passed would fill hundreds of pages
    assert opened.run("getComputedStyle(document.body).backgroundColor") == "rgb(255, 255, 255)"
    assert opened.run("document.documentElement.scrollWidth") <= PRINTED
    assert opened.run("[...document.querySelectorAll('figure svg')].every(s => s.getBoundingClientRect().height < 1010)")  # an A4 page
    printed = opened.page.pdf(path=tmp_path / "report.pdf", format="A4")
    assert printed.startswith(b"%PDF")
    assert 3 < printed.count(b"/Type /Page\n") < 40
    assert opened.said == []


def test_a_hundred_thousand_cells_open_in_time(visit: Opener, tmp_path: Path) -> None:
    path = tmp_path / "large.html"
    write_report(samples.many(100_000), path, None)
    assert path.stat().st_size <= BYTES
    took = []
    for _ in range(3):  # other work on the machine slows one opening, hardly three
        begun = time.perf_counter()
        opened = visit(path)
        assert opened.run("document.querySelector('#detail details') !== null")
        took.append(time.perf_counter() - begun)
        if took[-1] <= SECONDS:
            break
    assert min(took) <= SECONDS, took
    assert opened.said == []
    opened.shoot("report-large-1280-light")
