"""The end of a run: what was judged, the verdict, the worst blocks in every format, what is red and what could not run."""

from __future__ import annotations

from collections.abc import Sequence

from mpcheck._console import Grid, Sheet, columns
from mpcheck._names import GOLDEN, PRECISION, REGENERATE
from mpcheck._text import counted
from mpcheck.formats import TF32
from mpcheck.records.document import Records
from mpcheck.records.items import item_of
from mpcheck.records.outcome import outcome
from mpcheck.records.record import Record, first_changed
from mpcheck.records.reproduce import repeated_where, reproduce
from mpcheck.report import summary
from mpcheck.report.figure import beyond
from mpcheck.report.judged import judged_lines, subject_lines
from mpcheck.report.palette import style
from mpcheck.report.references import reference_lines
from mpcheck.report.standing import standing
from mpcheck.report.whole import HEAD, NOTHING, whole_rows, whole_title

WIDTH = 100
MOST_REASONS, MOST_RED = 6, 5
"""That are told on the first screen."""
LIMITS = style("inconclusive", strong=True)  # of what keeps a verdict from being whole


def _style(entry: summary.Entry) -> str:
    if entry.unsupported or entry.failed:
        return style("fail" if entry.failed and not entry.unsupported else "unsupported")
    return style("pass" if entry.share is not None and entry.share <= 1.0 else "inconclusive")


def render(run: Records, color: bool = False, notes: Sequence[str] = (), whole: bool = False) -> str:
    """What was judged, the verdict, the worst blocks, what is red, the whole model, what could not run.

    Args:
        notes: what the session says besides. whole: every block, and facts of the run that no verdict needs; the verdict once more behind them.
    """
    sheet = Sheet(WIDTH, color)
    sheet.line()
    for line in subject_lines(run):
        sheet.line(line)
    sheet.line()
    _verdict(sheet, run)
    sheet.line()
    _blocks(sheet, run, whole)
    _failures(sheet, run)
    _whole(sheet, run)
    _facts(sheet, run, whole)
    for note in notes:
        sheet.line((f"  {note}", "dim"))
    if whole:
        _verdict(sheet, run)
    return sheet.text


def _verdict(sheet: Sheet, run: Records) -> None:
    first, *limits = standing(run)
    sheet.line((first, style(outcome(run), strong=True)))
    for line in limits:
        sheet.line((line, LIMITS))


def _blocks(sheet: Sheet, run: Records, whole: bool) -> None:
    formats, rows = summary.table(run)
    every = list(dict.fromkeys(row[0] for row in rows))
    chosen = every if whole else summary.worst(run)
    if not chosen:
        return
    some = f"; the worst {len(chosen)} of {len(every)} blocks, -v shows all" if len(chosen) < len(every) else ""
    sheet.line((f"error ÷ allowed error; 1 is the limit{some}", "italic"), wrap=True)
    grid = Grid()
    grid.column("block", overflow="fold", most=38)
    grid.column("backend", overflow="fold", least=len("backend"))
    for name in formats:
        grid.column(name, right=True, wrap=False)
    apart = "\n" if columns(WIDTH) < WIDTH else " "  # on a narrow terminal a word and its figure stand below each other, and names are folded
    for name in chosen:
        own = [row for row in rows if row[0] == name]
        for place, (block, _, backend, entries) in enumerate(own):
            grid.row([("" if place else block, "default"), (backend, "dim"), *((e.text.replace(" ", apart), _style(e)) for e in entries)])
    sheet.grid(grid)
    sheet.line()


def _whole(sheet: Sheet, run: Records) -> None:
    """The whole model in every format: what it errs by and what it gains, the chemist's question behind all blocks."""
    rows = whole_rows(run)
    if not rows:
        return
    sheet.line((whole_title(run), "italic"), wrap=True)
    grid = Grid()
    told = [place for place in range(len(HEAD)) if place < 2 or any(row[place] != NOTHING for row in rows)]
    for place in told:
        grid.column(HEAD[place], right=place > 1, overflow="fold")
    for row in rows:
        grid.row([row[place] for place in told])
    sheet.grid(grid)
    sheet.line()


def _facts(sheet: Sheet, run: Records, whole: bool) -> None:
    """What could not run and what else limits the verdict; of a whole table also where its references come from, and what took longest."""
    sheet.line("cells: ", *((f"{number} {verdict}  ", style(verdict)) for verdict, number in summary.counts(run).items()))
    missing = list(summary.unsupported(run).items())
    for reason, number in missing if whole else missing[:MOST_REASONS]:
        sheet.line((f"  unsupported({reason}): {number}", "dim"), cut=not whole)
    if not whole and len(missing) > MOST_REASONS:
        sheet.line((f"  and {len(missing) - MOST_REASONS} more reasons, -v shows all", "dim"))
    for reason, number in list(summary.known_faults(run).items())[:4]:
        sheet.line((f"  known fault: {reason}: {number}", "dim"), wrap=True)
    drift = summary.drift_counts(run)
    if drift.get("no-baseline") and whole:
        remedy = f"; `{REGENERATE} --only baseline` stores them" if run.model.name.startswith("builtin:") else ""
        sheet.line(f"drift: no ratios are stored for {drift['no-baseline']} cells on {run.environment.device_slug}{remedy}", wrap=True)
    if drift.get("fail") or (drift.get("pass") and whole):
        behind = f", {drift['inputs-moved']} beyond on inputs that another block moved" if drift.get("inputs-moved") else ""
        sheet.line(f"drift: {drift.get('pass', 0)} within the stored ratios, {drift.get('fail', 0)} beyond{behind}", wrap=True)
    golden, block = run.of(GOLDEN), first_changed(run.of(GOLDEN))
    failed = sum(record.red for record in golden)
    if golden and (failed or whole):
        sheet.line(f"golden float64: {len(golden)} tensors, {failed} differ" + (f", first in the output of {block}" if block else ""), wrap=True)
    for line in judged_lines(run):
        sheet.line(line)
    if not whole:
        return
    if twins := summary.small_twins(run):
        sheet.line(twins, wrap=True)
    for line in reference_lines(run.systems):
        sheet.line(line)
    slow = ", ".join(f"{c.subject}-{c.backend}-{c.format}-{c.variant} {c.seconds * 1e3:.0f} ms" for c in summary.slowest(run, 2))
    sheet.line((f"slowest cells: {slow}", "dim"), cut=True)
    if run.environment.device == "cpu" and any(c.format == TF32.name for c in run.of(PRECISION)):
        sheet.line(("tf32 is emulated on a CPU: operands of matrix products rounded to 11 significant bits", "dim"), wrap=True)


def _failures(sheet: Sheet, run: Records) -> None:
    """What is red, a block at a time: the first of its cells, and how many more there are."""
    red: dict[str, list[Record]] = {}
    for cell in summary.failures(run):
        red.setdefault(cell.subject, []).append(cell)
    for cells in list(red.values())[:MOST_RED]:
        cell = cells[0]
        sheet.line((": ".join(filter(None, (f"FAIL {cell.id}", beyond(cell.share)))), style("fail")))
        sheet.line(f"     {cell.reason}")
        sheet.line((f"     {reproduce(run, item_of(PRECISION, cell))}", "dim"))
        if len(cells) > 1:
            sheet.line((f"     and {counted(len(cells) - 1, 'more red cell', 'more red cells')} of it", "dim"))
    if len(red) > MOST_RED:
        sheet.line((f"  and {counted(len(red) - MOST_RED, 'more red block', 'more red blocks')}, in the report", "dim"))
    if (where := repeated_where(run)) and red:
        sheet.line((f"     ({where})", "dim"))
    if red:
        sheet.line()
