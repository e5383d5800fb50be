"""``mpcheck history``: how latencies drifted over commits, and where they changed for good."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from mpcheck._errors import InputError

if TYPE_CHECKING:
    from mpcheck.bench.store.history import HistoryEntry

history_app = typer.Typer(no_args_is_help=True, help="Latencies over time: plot, changes.")

Directory = Annotated[Path, typer.Option("--dir", help="directory of the baselines")]
Device = Annotated[str, typer.Option("--device", help="a device's directory; needed where several have a history")]


def entries_of(directory: Path, device: str) -> tuple[str, list[HistoryEntry]]:
    """A device and its history; damaged lines are named on standard error.

    Raises:
        InputError: no history, several and none was named, or a damaged one.
    """
    from mpcheck.bench.store.history import history_path, read_history

    slugs = sorted(p.name for p in directory.iterdir() if history_path(directory, p.name).exists()) if directory.is_dir() else []
    if device and device not in slugs:
        raise InputError(f"--device {device}: no history of it in {directory}" + (f"; there are {', '.join(slugs)}" if slugs else ""))
    if not slugs:
        raise InputError(f"no latency history in {directory}; `mpcheck baseline update` begins one, or give another --dir")
    if len(slugs) > 1 and not device:
        raise InputError(f"several devices have a history in {directory}; choose one with --device: {', '.join(slugs)}")
    slug = device or slugs[0]
    history = read_history(history_path(directory, slug))
    for line in history.damaged:
        typer.echo(f"warning: {line}", err=True)
    return slug, history.entries


@history_app.command()
def plot(
    cell: Annotated[str, typer.Argument(help="glob pattern of benchmarks")],
    out: Annotated[Path, typer.Option("--out", help="FILE.svg, FILE.png or FILE.pdf")],
    directory: Directory = Path("baselines"),
    device: Device = "",
) -> None:
    """Draw latencies over commits, with lasting changes marked."""
    from mpcheck.bench.store.series import cells_of, series_of
    from mpcheck.report.history import write_history_picture

    slug, entries = entries_of(directory, device)
    found = [series_of(entries, name) for name in cells_of(entries, cell)]
    write_history_picture(out, found, slug)
    typer.echo(f"wrote {out}: {len(found)} benchmarks, {max(len(s.points) for s in found)} entries")


@history_app.command()
def changes(
    cell: Annotated[str, typer.Argument(help="glob pattern of benchmarks")] = "*",
    directory: Directory = Path("baselines"),
    device: Device = "",
) -> None:
    """List lasting changes: commit, effect with its 95 % interval, versions that changed with it."""
    from rich.console import Console
    from rich.table import Table

    from mpcheck.bench.store.change_points import MIN_SIZE
    from mpcheck.bench.store.series import cells_of, change_points, series_of
    from mpcheck.report.history import effect_words, unit_words

    slug, entries = entries_of(directory, device)
    series = [series_of(entries, name) for name in cells_of(entries, cell)]
    table = Table(title=f"lasting changes on {slug}", title_justify="left", box=None, padding=(0, 1))
    for column in ("cell", "first commit after", "last before", "date", "effect [95 %]", "in", "versions changed there"):
        table.add_column(column, overflow="fold")
    for one in series:
        for c in change_points(one):
            table.add_row(one.cell, c.commit, c.before, c.date, effect_words(c), unit_words(one.unit), ", ".join(c.versions) or "none")
    if table.row_count:
        Console(width=None if sys.stdout.isatty() else 200, highlight=False).print(table)
    short = sum(len(s.points) < 2 * MIN_SIZE for s in series)
    tail = f"; {short} have fewer than {2 * MIN_SIZE} entries, too few to tell" if short else ""
    typer.echo(f"{table.row_count} lasting changes in {len(series)} benchmarks{tail}")
