"""The table at the end of a run: block x format, error over allowed error, 100 columns at most."""

from __future__ import annotations

from collections.abc import Sequence

from mpcheck._console import Grid, Sheet
from mpcheck._names import GOLDEN, PRECISION
from mpcheck.formats import TF32
from mpcheck.records.document import Records
from mpcheck.records.items import item_of
from mpcheck.records.outcome import outcome
from mpcheck.records.record import first_changed
from mpcheck.records.reproduce import repeated_where, reproduce
from mpcheck.report import summary
from mpcheck.report.figure import beyond
from mpcheck.report.judged import judged_lines, subject_lines
from mpcheck.report.palette import style
from mpcheck.report.references import reference_lines
from mpcheck.report.standing import standing
from mpcheck.report.whole import HEAD, whole_rows, whole_title

WIDTH = 100
LIMITS = style("inconclusive", strong=True)  # of what keeps a verdict from being whole


def _style(entry: summary.Entry) -> str:
    if entry.unsupported or entry.failed:
        return style("fail" if entry.failed and not entry.unsupported else "unsupported")
    return style("pass" if entry.share is not None and entry.share <= 1.0 else "inconclusive")


def render(run: Records, color: bool = False, notes: Sequence[str] = ()) -> str:
    """The table and what a reader needs to know beside it; notes: what the session says besides."""
    sheet, grid = Sheet(WIDTH, color), Grid("error ÷ allowed error; 1 is the limit")
    formats, rows = summary.table(run)
    grid.column("block", wrap=False, most=38)
    grid.column("backend", wrap=False)
    for name in formats:
        grid.column(name, right=True, wrap=False)
    last = ""
    for block, _, backend, entries in rows:
        grid.row([(block if block != last else "", "default"), (backend, "dim"), *((e.text, _style(e)) for e in entries)])
        last = block
    first, *limits = standing(run)
    sheet.line()
    for line in subject_lines(run):
        sheet.line(line)
    for line in limits:
        sheet.line((line, LIMITS))
    sheet.line()
    sheet.grid(grid)
    sheet.line()
    _facts(sheet, run)
    _failures(sheet, run)
    for note in notes:
        sheet.line((f"  {note}", "dim"))
    _whole(sheet, run)
    sheet.line((first, style(outcome(run), strong=True)))
    for line in limits:
        sheet.line((line, LIMITS))
    return sheet.text


def _whole(sheet: Sheet, run: Records) -> None:
    """The whole model in every format: what it errs by and what it gains, the chemist's question behind all blocks."""
    rows = whole_rows(run)
    if not rows:
        return
    grid = Grid(whole_title(run))
    for place, name in enumerate(HEAD):
        grid.column(name, right=place > 1, wrap=False)
    for row in rows:
        grid.row(row)
    sheet.grid(grid)
    sheet.line()


def _facts(sheet: Sheet, run: Records) -> None:
    sheet.line("cells: ", *((f"{number} {verdict}  ", style(verdict)) for verdict, number in summary.counts(run).items()))
    for reason, number in list(summary.unsupported(run).items())[:4]:
        sheet.line((f"  unsupported({reason}): {number}", "dim"), cut=True)
    for reason, number in list(summary.known_faults(run).items())[:4]:
        sheet.line((f"  known fault: {reason}: {number}", "dim"), wrap=True)
    drift = summary.drift_counts(run)
    if drift.get("no-baseline"):
        sheet.line(f"drift: no-baseline for {drift['no-baseline']} cells on {run.environment.device_slug}; record one with `nox -s regenerate`")
    if drift.get("pass") or drift.get("fail"):
        behind = f", {drift['inputs-moved']} beyond on inputs that another block moved" if drift.get("inputs-moved") else ""
        sheet.line(f"drift: {drift.get('pass', 0)} within the stored ratios, {drift.get('fail', 0)} beyond{behind}", wrap=True)
    if golden := run.of(GOLDEN):
        failed, block = sum(record.red for record in golden), first_changed(golden)
        sheet.line(f"golden float64: {len(golden)} tensors, {failed} differ" + (f", first in the output of {block}" if block else ""), wrap=True)
    if twins := summary.small_twins(run):
        sheet.line(twins, wrap=True)
    for line in reference_lines(run.systems):
        sheet.line(line)
    for line in judged_lines(run):
        sheet.line(line)
    slow = ", ".join(f"{c.subject}-{c.backend}-{c.format}-{c.variant} {c.seconds * 1e3:.0f} ms" for c in summary.slowest(run, 2))
    sheet.line((f"slowest cells: {slow}", "dim"), cut=True)
    if run.environment.device == "cpu" and any(c.format == TF32.name for c in run.of(PRECISION)):
        sheet.line(("tf32 is emulated on a CPU: operands of matrix products rounded to 11 significant bits", "dim"), wrap=True)


def _failures(sheet: Sheet, run: Records) -> None:
    for cell in summary.failures(run)[:6]:
        sheet.line((": ".join(filter(None, (f"FAIL {cell.id}", beyond(cell.share)))), style("fail")))
        sheet.line(f"     {cell.reason}")
        sheet.line((f"     {reproduce(run, item_of(PRECISION, cell))}", "dim"))
    if (where := repeated_where(run)) and summary.failures(run):
        sheet.line((f"     ({where})", "dim"))
