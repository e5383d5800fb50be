"""The table at the end of a run: block x format, worst ratio, 100 columns at most."""

from __future__ import annotations

import io

from rich.console import Console
from rich.table import Table
from rich.text import Text

from mpcheck.records import Run
from mpcheck.report import summary
from mpcheck.report.references import reference_lines
from mpcheck.report.standing import standing
from mpcheck.results.items import first_changed, item_of_cell
from mpcheck.results.outcome import Outcome, outcome
from mpcheck.results.reproduce import repeated_where, reproduce

WIDTH = 100
STYLES: dict[Outcome, str] = {"pass": "bold green", "fail": "bold red", "crashed": "bold red", "nothing judged": "bold yellow"}


def _style(entry: summary.Entry) -> str:
    if entry.unsupported:
        return "dim"
    if entry.failed:
        return "bold red"
    return "green" if entry.ratio is not None and entry.ratio <= 1.0 else "yellow"


def render(run: Run, color: bool = False) -> str:
    """The table and what a reader needs to know beside it."""
    stream = io.StringIO()
    console = Console(file=stream, width=WIDTH, force_terminal=color, color_system="standard" if color else None, highlight=False)
    formats, rows = summary.table(run)
    table = Table(box=None, pad_edge=False, padding=(0, 1), title="worst rounding ratio: rms error / computed noise scale", title_justify="left")
    table.add_column("block", no_wrap=True, overflow="ellipsis", max_width=38)
    table.add_column("backend", no_wrap=True)
    for name in formats:
        table.add_column(name, justify="right", no_wrap=True)
    last = ""
    for block, _, backend, entries in rows:
        table.add_row(Text(block if block != last else "", "default"), Text(backend, "dim"), *(Text(e.text, _style(e)) for e in entries))
        last = block
    first, *limits = standing(run)
    console.print()
    for line in limits:
        console.print(Text(line, "bold yellow"), soft_wrap=True)
    console.print(table)
    console.print()
    _facts(console, run)
    console.print(Text(first, STYLES[outcome(run)]), soft_wrap=True)
    for line in limits:
        console.print(Text(line, "bold yellow"), soft_wrap=True)
    return stream.getvalue()


def _facts(console: Console, run: Run) -> None:
    shown = {"pass": "green", "fail": "bold red", "degraded": "yellow", "unsupported": "dim"}
    counts = Text("cells: ")
    for verdict, number in summary.counts(run).items():
        counts.append(f"{number} {verdict}  ", shown[verdict])
    console.print(counts)
    for reason, number in list(summary.unsupported(run).items())[:4]:
        console.print(Text(f"  unsupported({reason}): {number}", "dim"), overflow="ellipsis", no_wrap=True)
    drift = summary.drift_counts(run)
    if drift.get("no-baseline"):
        console.print(
            f"drift: no-baseline for {drift['no-baseline']} cells on {run.environment['device_slug']}; record one with `nox -s regenerate`",
            soft_wrap=True,
        )
    if drift.get("pass") or drift.get("fail"):
        behind = f", {drift['inputs-moved']} beyond on inputs that another block moved" if drift.get("inputs-moved") else ""
        console.print(f"drift: {drift.get('pass', 0)} within the stored ratios, {drift.get('fail', 0)} beyond{behind}")
    if run.golden:
        failed = sum(1 for row in run.golden if row["failure"])
        block = first_changed(run.golden)
        console.print(
            f"golden float64: {len(run.golden)} tensors, {failed} differ" + (f", first in the output of {block}" if block else ""), markup=False
        )
    for line in reference_lines(run.systems):
        console.print(line, soft_wrap=True, markup=False)
    for key in ("tables", "tables_left"):
        if key in run.model:
            console.print(f"model: {run.model[key]}", soft_wrap=True, markup=False)
    slow = ", ".join(f"{c.block}-{c.backend}-{c.format}-{c.direction} {c.seconds * 1e3:.0f} ms" for c in summary.slowest(run, 2))
    console.print(Text(f"slowest cells: {slow}", "dim"), overflow="ellipsis", no_wrap=True)
    if run.environment.get("device") == "cpu" and any(c.format == "tf32" for c in run.cells):
        console.print(Text("tf32 is emulated on a CPU: operands of matrix products rounded to 11 significant bits", "dim"))
    for cell in summary.failures(run)[:6]:
        console.print(Text(f"FAIL {cell.id}", "bold red"), soft_wrap=True)
        console.print(f"     {cell.reason}", soft_wrap=True, markup=False)
        console.print(Text(f"     {reproduce(run, item_of_cell(cell))}", "dim"), soft_wrap=True)
    if (where := repeated_where(run)) and summary.failures(run):
        console.print(Text(f"     ({where})", "dim"), soft_wrap=True)
