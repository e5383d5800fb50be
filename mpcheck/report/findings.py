"""The symmetry and audit sessions' findings: terminal table and Markdown."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from mpcheck._console import Grid, Sheet
from mpcheck._text import markdown as escape
from mpcheck._text import markdown_table, seen_lines
from mpcheck.records.attribution import innermost_first, names_of, nobody
from mpcheck.records.document import Records
from mpcheck.records.items import Item
from mpcheck.records.record import Record
from mpcheck.records.verdicts import VERDICTS, WORST_FIRST
from mpcheck.report.figure import beyond, figure
from mpcheck.report.judged import judged_lines, subject_lines
from mpcheck.report.palette import style
from mpcheck.report.references import reference_lines
from mpcheck.report.standing import standing, word
from mpcheck.sessions.registry import get

WIDTH = 100
_SHORT = {"unsupported": "–", "indistinguishable": "same", "inconclusive": "?", "known-fault": "known", "no-baseline": "new"}


def worst_of(findings: list[Record]) -> Record:
    """The finding that a reader must see first: the worst verdict, then the largest share of its limit."""
    return min(findings, key=lambda f: (WORST_FIRST.index(f.verdict), -f.share))


def entry(findings: list[Record]) -> tuple[str, str]:
    """Text, which is error over allowed error where there is a number, and verdict of one field of a table."""
    worst = worst_of(findings)
    number = "" if worst.ratio is None else figure(worst.share)
    if worst.verdict == "fail":
        return f"FAIL {number}".strip(), worst.verdict
    return _SHORT.get(worst.verdict, number or "ok"), worst.verdict


Row = tuple[Any, ...]
"""What the session's columns say, and then an entry for each of the table's."""


def tables(run: Records) -> dict[str, tuple[list[str], list[Row]]]:
    """Per check its columns, which are formats, or variants where there are no formats, and its rows."""
    leading = get(run.suite).columns
    every = {}
    for check in dict.fromkeys(f.check for f in run.records):
        own = [f for f in run.records if f.check == check]

        def column(f: Record, formats: bool = any(f.format for f in own)) -> str:
            return f.format if formats else f.variant

        columns = list(dict.fromkeys(column(f) for f in own))
        groups: dict[tuple[str, ...], list[Record]] = {}
        for f in own:
            groups.setdefault(tuple(str(getattr(f, name)) for name in leading), []).append(f)
        groups = _parts_first(groups)
        entries = {row: [entry(part) if (part := [f for f in fs if column(f) == c]) else None for c in columns] for row, fs in groups.items()}
        every[check] = (columns, [(*row, fields) for row, fields in entries.items()])
    return every


def _parts_first(groups: Mapping[tuple[str, ...], list[Record]]) -> dict[tuple[str, ...], list[Record]]:
    """Rows in their order, but a composite behind what is in it, and red ones that blame a block before red ones that blame none."""
    names = list(groups)

    def place(row: tuple[str, ...]) -> tuple[int, int, int]:
        subject = groups[row][0].subject
        inside = [i for i, other in enumerate(names) if groups[other][0].subject.startswith(f"{subject}.")]
        blames = any(f.red and f.block for f in groups[row])
        return (0 if blames else 1, max([names.index(row), *inside]), -len(subject))

    return {row: groups[row] for row in sorted(names, key=place)}


def told(run: Records, verdict: str) -> list[Record]:
    """Findings of a verdict, leaves before composites, and both before what names no block."""
    return innermost_first([f for f in run.records if f.verdict == verdict], names_of(run.records))


def counts(run: Records) -> dict[str, int]:
    """Findings by verdict."""
    tally = Counter(f.verdict for f in run.records)
    return {v: tally[v] for v in VERDICTS if tally[v]}


def render(run: Records, color: bool = False, notes: Sequence[str] = ()) -> str:
    """The tables, 100 columns at most, then what is not a pass, and what the session says besides."""
    sheet = Sheet(WIDTH, color)
    sheet.line()
    for line in subject_lines(run):
        sheet.line(line)
    _tables(sheet, run)
    sheet.line()
    sheet.line("findings: ", *((f"{number} {verdict}  ", style(verdict)) for verdict, number in counts(run).items()))
    for verdict in ("fail", "degraded", "known-fault", "inconclusive"):
        for f in told(run, verdict)[:6]:
            over = beyond(f.share) if f.red else ""
            sheet.line((": ".join(filter(None, (f"{verdict.upper() if verdict == 'fail' else verdict} {f.id}", over))), style(verdict)))
            sheet.line(f"     {f.reason}" + (f"; worst: {f.worst}" if f.worst else ""))
        if verdict == "fail" and (blames := nobody(run.records)):
            sheet.line((f"  {blames}", "dim"), wrap=True)
    for reason, number in Counter(f.reason for f in run.records if f.verdict == "unsupported").most_common(4):
        sheet.line((f"  unsupported({reason}): {number}", "dim"), cut=True)
    for note in notes:
        sheet.line((f"  {note}", "dim"))
    for line in standing(run):
        sheet.line((line, "bold"))
    for line in (*judged_lines(run), *reference_lines(run.systems)):
        sheet.line(line)
    return sheet.text


def _tables(sheet: Sheet, run: Records) -> None:
    for check, (columns, rows) in tables(run).items():
        grid = Grid(check)
        for place, name in enumerate(get(run.suite).columns):
            grid.column(name, wrap=False, most=None if place else 36)
        for name in columns:
            grid.column(name, right=True, overflow="fold")
        for *names, entries in rows:
            grid.row([*names, *(("", "dim") if e is None else (e[0], style(e[1])) for e in entries)])
        sheet.line()
        sheet.grid(grid)


def markdown(run: Records, notes: Sequence[str] = ()) -> str:
    """Verdict first, then what the session says besides, failures, a table per check, environment."""
    tally = counts(run)
    _, *limits = standing(run)
    lines = [f"# mpcheck {run.suite}: {word(run)}", "", *(f"- **{escape(line)}**" for line in limits), *([""] if limits else [])]
    lines += [*(f"- {escape(line)}" for line in subject_lines(run)), ""]
    lines += [f"Device {escape(run.environment.device_name)}, {run.seconds:.0f} s."]
    lines += [f"- {escape(note)}" for note in notes]
    lines += ["Findings: " + ", ".join(f"{n} {v}" for v, n in tally.items()) + ".", ""]
    for verdict_ in ("fail", "degraded", "known-fault", "inconclusive"):
        own = told(run, verdict_)
        if own:
            shown = ([escape(text) for text in (f.id, f.reason, f.worst)] for f in own[:50])
            lines += [f"## {verdict_}", "", *markdown_table(("finding", "reason", "worst"), shown)]
        if verdict_ == "fail" and (blames := nobody(run.records)):
            lines += [f"{escape(blames[0].upper() + blames[1:])}.", ""]
    for check, (columns, rows) in tables(run).items():
        cells = (
            [*map(escape, names), *("" if e is None else f"**{e[0]}**" if e[1] == "fail" else e[0] for e in entries)] for *names, entries in rows
        )
        head = (*get(run.suite).columns, *map(escape, columns))
        lines += [f"## {escape(check)}", "", *markdown_table(head, cells, "l" * (len(head) - len(columns)) + "r" * len(columns))]
    packages = ", ".join(f"{k} {v}" for k, v in run.environment.packages.items())
    lines += ["## Environment", "", f"- {escape(packages)}", f"- {escape(run.environment.platform)}, {escape(run.environment.threads)} threads"]
    lines += [f"- {escape(line)}" for line in (*judged_lines(run), *reference_lines(run.systems))]
    return seen_lines("\n".join(lines)) + "\n"


class FindingsShown:
    """See :class:`mpcheck.report.showing.Showing`."""

    def terminal(self, document: Records, notes: Sequence[str] = (), color: bool = False, whole: bool = False) -> str:
        """A table a check."""
        return render(document, color, notes)

    def markdown(self, document: Records, notes: Sequence[str] = ()) -> str:
        """What is no pass, and a table a check."""
        return markdown(document, notes)

    def note(self, document: Records, items: Sequence[Item]) -> str:
        """Nothing, where something was recorded."""
        return "" if items else "it recorded no conclusion at all"

    def pictures(self, directory: Path, document: Records) -> list[Path]:
        """None."""
        return []


SHOWING = FindingsShown()
