"""The policy session's records for people: the answer, a table of policies, where the error comes from, pictures."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from pathlib import Path

from mpcheck._console import Grid, Sheet
from mpcheck._names import POLICY_BUDGET, POLICY_SIZE
from mpcheck._text import markdown as escape
from mpcheck._text import markdown_table, seen_lines
from mpcheck.records.document import Records
from mpcheck.records.items import Item
from mpcheck.records.policy_figures import PolicyBlock
from mpcheck.records.record import Record
from mpcheck.report.ending import concluded, ending
from mpcheck.report.palette import style
from mpcheck.report.pictures.sessions import write_own_pictures
from mpcheck.report.references import reference_lines
from mpcheck.report.standing import word
from mpcheck.sessions.policy.answer import Row, answer, budget_of, number, rows
from mpcheck.sessions.policy.drawing import pictures
from mpcheck.sessions.policy.sizes import HEAD as SIZES
from mpcheck.sessions.policy.sizes import RIGHT, left_out, size_rows

WIDTH = 118
HEAD = ("policy", "backend", "meV/atom", "meV/Å", "relative", "GPa", "predicted", "ms", "times float64", "MB", "")
"""Of the table of policies: ``predicted`` is measured by predicted force error, the rest RMS errors, and speed."""
MOST_BLOCKS = 8


def ratio_of(row: Row) -> str:
    """Measured by predicted force error."""
    errors = row.errors
    if errors is None or not errors.predicted_force_meV_per_A or errors.force_meV_per_A is None:
        return "–"
    return f"{errors.force_meV_per_A / errors.predicted_force_meV_per_A:.2f}"


def cells(row: Row, safe: bool) -> list[str]:
    """One row of the table, by ``HEAD``."""
    errors, speed = row.errors, row.speed
    told = "FAIL" if row.red else "refused" if row.refused else "no numbers" if row.unsound else "safe" if safe else ""
    if errors is None:
        figures = ["–"] * 5
    else:
        figures = [number(v) for v in (
            errors.energy_meV_per_atom, errors.force_meV_per_A, errors.force_relative, errors.stress_GPa
        )] + [ratio_of(row)]  # fmt: skip
    times = ["–"] * 3
    if speed is not None and speed.median_ms is not None:
        gain = "–" if speed.speedup_float64 is None else f"{speed.speedup_float64:.2f}"
        if speed.speedup_float64_low is not None and speed.speedup_float64_high is not None:
            gain += f" ±{(speed.speedup_float64_high - speed.speedup_float64_low) / 2:.2f}"
        times = [f"{speed.median_ms:.1f}", gain, "–" if speed.peak_bytes is None else f"{speed.peak_bytes / 1e6:.0f}"]
    return [row.policy, row.backend, *figures, *times, told]


def table(document: Records, system: str) -> list[list[str]]:
    """All policies on a system."""
    budget = budget_of(document)
    return [cells(r, r.safe(budget)) for r in rows(document) if r.system == system]


def spenders(document: Records, system: str) -> list[tuple[str, PolicyBlock]]:
    """Blocks that spend most of the force error first."""
    found = [(r.subject, r.detail) for r in document.of(POLICY_BUDGET) if r.system == system and isinstance(r.detail, PolicyBlock)]
    return sorted(found, key=lambda pair: -(pair[1].force_share or 0.0))


def systems(document: Records) -> list[str]:
    """Those that were judged."""
    return list(dict.fromkeys(r.system for r in document.records if r.system and r.check != POLICY_SIZE))


def _spent(blocks: Iterable[tuple[str, PolicyBlock]]) -> list[list[str]]:
    return [
        [name, b.runs_in, _percent(b.force_share), _percent(b.energy_share), number(b.force_meV_per_A), b.alone or "–", b.together or "–"]
        for name, b in blocks
    ]


def _percent(share: float | None) -> str:
    return "–" if share is None else f"{100 * share:.0f} %"


SPENT = ("block", "runs in", "of force", "of energy", "meV/Å", "alone", "together")
"""Of the error budget: shares of the squared errors, and the lowest format where a block is lowered alone, and beside all others."""


def policy_of(document: Records, system: str) -> str:
    """Whose error budget is told."""
    return next((r.variant for r in document.of(POLICY_BUDGET) if r.system == system and r.variant), "")


class PolicyShown:
    """See :class:`mpcheck.report.showing.Showing`."""

    def terminal(self, document: Records, notes: Sequence[str] = (), color: bool = False, whole: bool = False) -> str:
        """The answer, then the tables, then what is red."""
        sheet = Sheet(WIDTH, color)
        sheet.line()
        for line in answer(document):
            sheet.line((line, "" if line.startswith(" ") else "bold"), wrap=True)
        for system in systems(document):
            self._tables(sheet, document, system)
        self._sizes(sheet, document)
        concluded(sheet, document, (*self._unsupported(document), *notes))
        for line in reference_lines(document.systems):
            sheet.line(line)
        return sheet.text

    def _tables(self, sheet: Sheet, document: Records, system: str) -> None:
        """Of one system: all policies, and the blocks that spend most."""
        grid = Grid(f"{system}: RMS error against float64 over {self._structures(document, system)}, speed of energy and forces")
        for place, name in enumerate(HEAD):
            grid.column(name, right=1 < place < len(HEAD) - 1, wrap=False)
        for row in table(document, system):
            grid.row([*row[:-1], (row[-1], style({"FAIL": "fail", "safe": "pass"}.get(row[-1], "unsupported")))])
        sheet.line()
        sheet.grid(grid)
        if not (blocks := spenders(document, system)[:MOST_BLOCKS]):
            return
        spending = f"where the error of {policy_of(document, system)} comes from, and how far each block may be lowered"
        grid = Grid(f"{spending} within {budget_of(document)}")
        for place, name in enumerate(SPENT):
            grid.column(name, right=1 < place < 5, wrap=False)
        for cells_ in _spent(blocks):
            grid.row(cells_)
        sheet.line()
        sheet.grid(grid)

    @staticmethod
    def _sizes(sheet: Sheet, document: Records) -> None:
        """Of the sweep, where there was one."""
        if not (own := size_rows(document)):
            return
        grid = Grid("over size: supercells of rattled diamond, and batches of them; errors of the calls that were timed")
        for place, name in enumerate(SIZES):
            grid.column(name, right=RIGHT[place] == "r", wrap=False)
        for row in own:
            grid.row(row)
        sheet.line()
        sheet.grid(grid)
        for line in left_out(document):
            sheet.line((f"  {line}", "dim"), cut=True)

    @staticmethod
    def _structures(document: Records, system: str) -> str:
        count = next((r.errors.structures for r in rows(document) if r.system == system and r.errors is not None), None)
        return f"{int(count)} structures" if count else "its structures"

    @staticmethod
    def _unsupported(document: Records) -> list[str]:
        reasons: dict[str, list[Record]] = {}
        for r in document.records:
            if r.verdict == "unsupported":
                reasons.setdefault(r.reason, []).append(r)
        return [f"unsupported({reason}): {', '.join(dict.fromkeys(r.subject for r in own))}" for reason, own in list(reasons.items())[:6]]

    def markdown(self, document: Records, notes: Sequence[str] = ()) -> str:
        """The same, verdict first."""
        lines = [f"# mpcheck policy: {word(document)}", "", *(f"- {escape(line.strip())}" for line in answer(document)), ""]
        for system in systems(document):
            lines += [
                f"## {escape(system)}",
                "",
                *markdown_table(HEAD, [[*map(escape, row)] for row in table(document, system)], "ll" + "r" * 8 + "l"),
            ]
            if blocks := spenders(document, system):
                lines += [f"### Where the error of {escape(policy_of(document, system))} comes from", ""]
                lines += markdown_table(SPENT, [[*map(escape, row)] for row in _spent(blocks)], "llrrrll")
        if own := size_rows(document):
            lines += ["## Over size: supercells of rattled diamond, and batches of them", "", *markdown_table(SIZES, own, RIGHT), ""]
            lines += [f"- {escape(line)}" for line in left_out(document)]
        lines += ending(document, notes)
        return seen_lines("\n".join(lines)) + "\n"

    def note(self, document: Records, items: Sequence[Item]) -> str:
        """The answer's first line."""
        return next(iter(answer(document)), "") if items else "it recorded no conclusion at all"

    def pictures(self, directory: Path, document: Records) -> list[Path]:
        """Speed against accuracy, and where the error comes from."""
        return write_own_pictures(directory, lambda: pictures(document))


SHOWING = PolicyShown()
