"""The training session's records for people: the answer, errors by split and regime, how trainings went, pictures."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from pathlib import Path

from mpcheck._console import Grid, Sheet
from mpcheck._text import markdown as escape
from mpcheck._text import markdown_table, seen_lines
from mpcheck.records.document import Records
from mpcheck.records.items import Item
from mpcheck.report.ending import concluded, ending
from mpcheck.report.palette import style
from mpcheck.report.pictures.base import Picture
from mpcheck.report.pictures.sessions import write_own_pictures
from mpcheck.report.standing import word
from mpcheck.sessions.training.answer import answer, note
from mpcheck.sessions.training.drawing import pictures
from mpcheck.sessions.training.tables import COURSE, ERRORS, MOVED, PARTS, course_rows, error_rows, moved_rows, part_rows

WIDTH = 150
Table = tuple[str, Sequence[str], Iterable[list[str]], int, str]


def tables(document: Records) -> list[Table]:
    """Title, head, rows, first column that is numbers, alignment."""
    return [
        ("errors on energies and forces, mean and deviation over seeds", ERRORS, error_rows(document), 4, "llllrrrlll"),
        ("forces between and within molecules", PARTS, part_rows(document), 2, "llrrrrll"),
        ("how the trainings went; of layers the worst gradient", COURSE, course_rows(document), 1, "lrrrrrrrr"),
        ("a short run of each trained model, Langevin, in float64", MOVED, moved_rows(document), 2, "llrrll"),
    ]


class TrainingShown:
    """See :class:`mpcheck.report.showing.Showing`."""

    def terminal(self, document: Records, notes: Sequence[str] = (), color: bool = False, whole: bool = False) -> str:
        """The answer, the tables, then what is red."""
        sheet = Sheet(WIDTH, color)
        sheet.line()
        for line in answer(document):
            sheet.line((line, "bold"), wrap=True)
        for title, head, rows, first, _ in tables(document):
            if head is ERRORS:  # a regime's name says its types
                head, rows, first = (*head[:1], *head[3:]), [[*row[:1], *row[3:]] for row in rows], first - 2
            grid = Grid(title)
            for place, name in enumerate(head):
                grid.column(name, right=first <= place < first + 4, wrap=False)
            for row in rows:
                grid.row([*row[:-1], (row[-1], style("fail")) if row[-1] == "FAIL" else row[-1]])
            sheet.line()
            sheet.grid(grid)
        untold = [f"{r.verdict}: {r.subject}: {r.reason}" for r in document.records if r.verdict in ("unsupported", "inconclusive")]
        concluded(sheet, document, (*untold, *notes))
        return sheet.text

    def markdown(self, document: Records, notes: Sequence[str] = ()) -> str:
        """The same, verdict first."""
        lines = [f"# mpcheck train: {word(document)}", "", *(f"- {escape(line)}" for line in answer(document)), ""]
        for title, head, rows, _, align in tables(document):
            lines += [f"## {title[0].upper()}{title[1:]}", "", *markdown_table(head, [[*map(escape, row)] for row in rows], align), ""]
        lines += ending(document, notes)
        return seen_lines("\n".join(lines)) + "\n"

    def note(self, document: Records, items: Sequence[Item]) -> str:
        """In a line."""
        return note(document) if items else "it recorded no conclusion at all"

    def drawn(self, document: Records) -> list[Picture]:
        """For the common report."""
        return pictures(document)

    def pictures(self, directory: Path, document: Records) -> list[Path]:
        """Losses, loss scales, errors."""
        return write_own_pictures(directory, lambda: pictures(document))


SHOWING = TrainingShown()
