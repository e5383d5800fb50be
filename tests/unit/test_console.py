"""Tables and lines of a terminal: nothing of data is markup, and what is laid out keeps its cells."""

from __future__ import annotations

import pytest

from mpcheck._console import Grid, Sheet, columns
from tests.unit.hostile import COLOURS, TEXTS, check


def grid(*rows: tuple[str, str]) -> Grid:
    made = Grid("title")
    made.column("name", overflow="fold")
    made.column("seconds", right=True)
    for row in rows:
        made.row(row)
    return made


def test_numbers_stand_right_and_rows_are_counted(capsys: pytest.CaptureFixture[str]) -> None:
    made = grid(("a", "1.5"), ("long name", "20.25"))
    assert len(made) == 2
    made.show(60)
    title, head, *rows = capsys.readouterr().out.splitlines()
    assert title.startswith("title") and head.split() == ["name", "seconds"]
    assert {row.rstrip().rfind("5") for row in rows} == {len(rows[0].rstrip()) - 1}, "the last digits are below each other"


@pytest.mark.parametrize(("given", "width"), [("72", 72), ("20", 60), ("300", 300)])
def test_tables_follow_the_terminal_from_60_columns_on(given: str, width: int, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("COLUMNS", given)
    assert columns(100) == width
    sheet = Sheet(100)
    sheet.grid(grid(("name " * 80, "1")))
    assert max(len(line.rstrip()) for line in sheet.text.splitlines()) in range(width - 6, width + 1)


def test_a_line_is_cut_wrapped_or_as_long_as_it_is(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("COLUMNS", "60")
    lengths = []
    for options in ({}, {"cut": True}, {"wrap": True}):
        sheet = Sheet(20)
        sheet.line("word " * 32, **options)
        lengths.append([len(line.rstrip()) for line in sheet.text.splitlines() if line.strip()])
    whole, cut, wrapped = lengths
    assert whole == [159] and len(cut) == 1 and cut[0] <= 60 and len(wrapped) > 1 and max(wrapped) <= 60


@pytest.mark.parametrize("color", [False, True])
@pytest.mark.parametrize("text", TEXTS, ids=lambda text: ascii(text)[:30])
def test_data_is_neither_markup_nor_obeyed(text: str, color: bool) -> None:
    sheet = Sheet(200, color)
    sheet.line(("said", "bold"), text)
    sheet.grid(grid((text, text)))
    check("sheet", COLOURS.sub("", sheet.text))
    assert ("\x1b[" in sheet.text) == color


def test_markup_of_rich_is_shown_as_it_is_written() -> None:
    sheet = Sheet(80)
    sheet.line("[bold]x[/bold]")
    assert sheet.text.strip() == "[bold]x[/bold]"
