"""The md session's records for people: the answer, what was decided, speed, what is wrong, pictures."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from mpcheck._console import Grid, Sheet
from mpcheck._text import markdown as escape
from mpcheck._text import markdown_table, seen_lines
from mpcheck.records.document import Records
from mpcheck.records.items import Item
from mpcheck.report.ending import concluded, ending
from mpcheck.report.judged import subject_lines
from mpcheck.report.palette import style
from mpcheck.report.pictures.base import Picture
from mpcheck.report.pictures.sessions import write_own_pictures
from mpcheck.report.standing import word
from mpcheck.sessions.md import tables
from mpcheck.sessions.md.answer import answer
from mpcheck.sessions.md.drawing import pictures

WIDTH = 132


class MdShown:
    """See :class:`mpcheck.report.showing.Showing`."""

    def terminal(self, document: Records, notes: Sequence[str] = (), color: bool = False, whole: bool = False) -> str:
        """The answer, then the tables, then what is red; whole: means, traces and laws, too."""
        sheet = Sheet(WIDTH, color)
        sheet.line()
        for line in answer(document):
            sheet.line((line, "" if line.startswith(" ") else "bold"), wrap=True)
        for title, head, rows, align in tables.every(document):
            if not whole and title not in ("Equivalence to float64", "Speed"):
                continue
            grid = Grid(title)
            for name, side in zip(head, align, strict=True):
                grid.column(name, right=side == "r")
            for row in rows:
                last = "fail" if "FAIL" in row[-1] or row[-1] == "BROKEN" else "unsupported" if row[-1].startswith("cannot tell") else ""
                grid.row([*row[:-1], (row[-1], style(last) if last else "")])
            sheet.line()
            sheet.grid(grid)
        unsupported = list(dict.fromkeys(f"{r.subject}: {r.reason}" for r in document.records if r.verdict == "unsupported"))
        concluded(sheet, document, (*unsupported[:6], *notes))
        return sheet.text

    def markdown(self, document: Records, notes: Sequence[str] = ()) -> str:
        """The same, verdict first, with every table."""
        lines = [f"# mpcheck md: {word(document)}", "", *(f"- {escape(line.strip())}" for line in answer(document)), ""]
        lines += [f"- {escape(line)}" for line in subject_lines(document)]
        for title, head, rows, align in tables.every(document):
            lines += ["", f"## {title}", "", *markdown_table(head, [[*map(escape, row)] for row in rows], align)]
        lines += ending(document, notes)
        return seen_lines("\n".join(lines)) + "\n"

    def note(self, document: Records, items: Sequence[Item]) -> str:
        """The answer, policy by policy."""
        return "; ".join(line for line in answer(document) if not line.startswith(" ")) if items else "it recorded no conclusion at all"

    def drawn(self, document: Records) -> list[Picture]:
        """For the common report."""
        return pictures(document)

    def pictures(self, directory: Path, document: Records) -> list[Path]:
        """Traces, divergence, structure."""
        return write_own_pictures(directory, lambda: pictures(document))


SHOWING = MdShown()
