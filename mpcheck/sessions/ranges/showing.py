"""The ranges session's records for people: where a format ends, the tables, how tensors lie in memory, pictures."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from mpcheck._console import Grid, Sheet
from mpcheck._text import markdown as escape
from mpcheck._text import markdown_table, seen_lines
from mpcheck.records.document import Records
from mpcheck.records.items import Item
from mpcheck.report.ending import concluded, ending
from mpcheck.report.pictures.base import Picture
from mpcheck.report.pictures.sessions import write_own_pictures
from mpcheck.report.standing import word
from mpcheck.sessions.ranges.drawing import pictures
from mpcheck.sessions.ranges.tables import HEAD, ends, layouts, tables, without_range

WIDTH = 132
LABEL, SHORT = 33, 22  # characters of names


class RangesShown:
    """See :class:`mpcheck.report.showing.Showing`."""

    def terminal(self, document: Records, notes: Sequence[str] = (), color: bool = False, whole: bool = False) -> str:
        """Where formats end, then the tables."""
        sheet = Sheet(WIDTH, color)
        sheet.line()
        for line in ends(document):
            sheet.line((line, "bold"), wrap=True)
        for title, head, rows in tables(document, whole):
            grid = Grid(title)
            for place, name in enumerate(head):
                text = place in (0, 2)
                widest = max(len(cell) for cell in (name, *(row[place] for row in rows)))
                grid.column(name, right=not text, wrap=False, least=None if text else widest, most=(LABEL, 0, SHORT)[place] if text else None)
            for row in rows:
                grid.row(row)
            sheet.line()
            sheet.grid(grid)
        sheet.line()
        for line in layouts(document):
            sheet.line((line, "dim"), cut=True)
        concluded(sheet, document, (*without_range(document.records), *notes))
        return sheet.text

    def markdown(self, document: Records, notes: Sequence[str] = ()) -> str:
        """The same, verdict first; composites as well."""
        lines = [f"# mpcheck ranges: {word(document)}", "", *(f"- {escape(line)}" for line in ends(document)), ""]
        for title, head, rows in tables(document, whole=True):
            align = "lrlrr" + "r" * (len(head) - len(HEAD))
            lines += [f"## {escape(title)}", "", *markdown_table([*map(escape, head)], [[*map(escape, row)] for row in rows], align), ""]
        lines += [f"- {escape(line)}" for line in layouts(document)]
        lines += ending(document, notes)
        return seen_lines("\n".join(lines)) + "\n"

    def note(self, document: Records, items: Sequence[Item]) -> str:
        """In a line."""
        return next(iter(ends(document)), "") if items else "it recorded no conclusion at all"

    def drawn(self, document: Records) -> list[Picture]:
        """For the common report."""
        return pictures(document)

    def pictures(self, directory: Path, document: Records) -> list[Path]:
        """A bar a tensor."""
        return write_own_pictures(directory, lambda: pictures(document))


SHOWING = RangesShown()
