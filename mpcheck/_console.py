"""Lines and tables for a terminal: the only place that uses rich, and no text gets past it that a terminal or a log would obey."""

from __future__ import annotations

import io
import shutil
from collections.abc import Iterable
from typing import Literal

from rich.console import Console
from rich.table import Table
from rich.text import Text

from mpcheck._text import laid_out, put, terminal

Styled = tuple[str, str]
"""A text and rich's name of its style."""
Justify = Literal["left", "right"]
Overflow = Literal["fold", "ellipsis"]


def _text(part: str | Styled) -> Text:
    text, style = (part, "") if isinstance(part, str) else part
    return Text(terminal(text), style)


class Grid:
    """A table of texts; nothing in them is markup."""

    def __init__(self, title: str = "", pad_edge: bool = False) -> None:
        self.table = Table(box=None, pad_edge=pad_edge, padding=(0, 1), title=_text((title, "italic")) if title else None, title_justify="left")

    def column(
        self, name: str, right: bool = False, overflow: Overflow = "ellipsis", wrap: bool = True, least: int | None = None, most: int | None = None
    ) -> None:
        """Add a column.

        Args:
            name: may have several lines. overflow: what becomes of a word that is too long.
            least, most: of its width, in characters.
        """
        justify: Justify = "right" if right else "left"
        head = Text("\n").join(_text(line) for line in name.split("\n"))
        self.table.add_column(head, justify=justify, overflow=overflow, no_wrap=not wrap, min_width=least, max_width=most)

    def row(self, cells: Iterable[str | Styled]) -> None:
        """Add a row; lines of a cell stay lines."""
        self.table.add_row(*(self._cell(cell) for cell in cells))

    @staticmethod
    def _cell(part: str | Styled) -> Text:
        text, style = (part, "") if isinstance(part, str) else part
        return Text("\n").join(_text((line, style)) for line in text.split("\n"))

    def __len__(self) -> int:
        """How many rows there are."""
        return self.table.row_count

    def show(self, width: int) -> None:
        """Print the table on standard output, so wide as the terminal is, or as told where it is none."""
        console = Console(width=columns(width), highlight=False, markup=False)
        with console.capture() as captured:
            console.print(self.table)
        put(laid_out(captured.get().removesuffix("\n")))


NARROWEST = 60
"""Characters, of which tables make use at least."""


def columns(usual: int) -> int:
    """Width of the terminal, or what ``COLUMNS`` says; the usual one where there is no terminal."""
    return max(NARROWEST, shutil.get_terminal_size((usual, 24)).columns)


class Sheet:
    """Lines and tables as one text, to be printed or shown by pytest, so wide as the terminal is.

    Args:
        width: of tables where there is no terminal, in characters. color: whether styles are kept.
    """

    def __init__(self, width: int, color: bool = False) -> None:
        self._stream = io.StringIO()
        self._console = Console(
            file=self._stream, width=columns(width), force_terminal=color, color_system="standard" if color else None, highlight=False, markup=False
        )

    def line(self, *parts: str | Styled, cut: bool = False, wrap: bool = False) -> None:
        """Add a line of one or several texts.

        Args:
            cut: end it where the width ends. wrap: go on in the next one there; else it is as long as it is.
        """
        text = Text().join(map(_text, parts))
        if cut:
            self._console.print(text, overflow="ellipsis", no_wrap=True)
        else:
            self._console.print(text, soft_wrap=not wrap)

    def grid(self, grid: Grid) -> None:
        """Add a table."""
        self._console.print(grid.table)

    @property
    def text(self) -> str:
        """Everything so far."""
        return laid_out(self._stream.getvalue())
