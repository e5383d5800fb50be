"""``mpcheck history``: what gates said over commits, how latencies and rounding ratios drifted, and where they changed for good."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Literal

import typer

from mpcheck._errors import InputError
from mpcheck._text import say, terminal

if TYPE_CHECKING:
    from mpcheck.history.gates import GateEntry
    from mpcheck.history.latency.history import HistoryEntry
    from mpcheck.history.latency.series import Series

history_app = typer.Typer(no_args_is_help=True, help="Gates over time: record, show; latencies and rounding ratios: plot, changes.")

What = Literal["latency", "ratio"]
Directory = Annotated[Path, typer.Option("--dir", help="directory of the baselines")]
Device = Annotated[str, typer.Option("--device", help="a device's directory; needed where several have a history")]
Chosen = Annotated[What, typer.Option("--what", help="latency, of `mpcheck baseline update`; ratio, of `mpcheck history record`")]
LISTED = 5  # red ids of an entry
LONGEST = 300  # characters of a line of an entry


def device_of(directory: Path, device: str, path: Callable[[Path, str], Path], what: str, begun_by: str) -> str:
    """The device whose history is meant.

    Args:
        path: where a device's history is, in the directory.

    Raises:
        InputError: no history, or several and none was named.
    """
    slugs = sorted(p.name for p in directory.iterdir() if p.is_dir() and path(directory, p.name).exists()) if directory.is_dir() else []
    if device and device not in slugs:
        raise InputError(f"--device {device}: no {what} of it in {directory}" + (f"; there are {', '.join(slugs)}" if slugs else ""))
    if not slugs:
        raise InputError(f"no {what} in {directory}; `{begun_by}` begins one, or give another --dir")
    if len(slugs) > 1 and not device:
        raise InputError(f"several devices have a {what} in {directory}; choose one with --device: {', '.join(slugs)}")
    return device or slugs[0]


def entries_of(directory: Path, device: str) -> tuple[str, list[HistoryEntry]]:
    """A device and its latency history; damaged lines are named on standard error.

    Raises:
        InputError: no history, several and none was named, or a damaged one.
    """
    from mpcheck.history.latency.history import history_path, read_history

    slug = device_of(directory, device, history_path, "latency history", "mpcheck baseline update")
    history = read_history(history_path(directory, slug))
    _warn(history.damaged)
    return slug, history.entries


def gates_of(directory: Path, device: str) -> tuple[str, list[GateEntry]]:
    """A device and its gates, oldest first; damaged lines are named on standard error.

    Raises:
        InputError: no history, or several and none was named.
    """
    from mpcheck.history.gates import gate_history_path, in_time, read_gate_history

    slug = device_of(directory, device, lambda d, s: d / s / gate_history_path(d, "any").name, "gate history", "mpcheck history record")
    history = read_gate_history(gate_history_path(directory, slug))
    _warn(history.damaged)
    return slug, in_time(history.entries)


def _warn(damaged: list[str]) -> None:
    for line in damaged:
        say(f"warning: {line}", error=True)


def series_named(directory: Path, device: str, what: What, pattern: str) -> tuple[str, list[Series]]:
    """A device, and the series of its history that a pattern chooses."""
    if what == "ratio":
        from mpcheck.report.ratio_series import names_of, ratio_series

        slug, gates = gates_of(directory, device)
        return slug, [ratio_series(gates, name) for name in names_of(gates, pattern)]
    from mpcheck.history.latency.series import cells_of, series_of

    slug, entries = entries_of(directory, device)
    return slug, [series_of(entries, name) for name in cells_of(entries, pattern)]


@history_app.command()
def record(
    records: Annotated[list[Path], typer.Argument(help="records of sessions: files, or directories of them")],
    directory: Directory = Path("baselines"),
    kind: Annotated[Literal["run", "gate", "nightly"], typer.Option("--kind", help="what ran them")] = "run",
    untrusted: Annotated[bool, typer.Option("--untrusted", help="records that somebody else's code wrote: tighter limits")] = False,
) -> None:
    """Add what sessions found to the device's gate history, once a commit, model and options."""
    from mpcheck.history.gates import append_gate, entry_of, gate_history_path
    from mpcheck.records.limits import OWN, UNTRUSTED
    from mpcheck.records.read import read_results

    entry = entry_of(read_results(records, UNTRUSTED if untrusted else OWN), kind)
    path = gate_history_path(directory, entry.device)
    added = append_gate(path, entry)
    said = ", ".join(f"{session} {verdict}" for session, verdict in entry.verdicts.items())
    say(f"{'added to' if added else 'already in'} {path}: commit {entry.commit}, {said}, {len(entry.red)} red")


@history_app.command()
def show(
    directory: Directory = Path("baselines"),
    device: Device = "",
    limit: Annotated[int, typer.Option("--limit", help="entries to list, the latest ones", min=1)] = 20,
) -> None:
    """List recorded gates, oldest first: date, commit, verdicts, what was red."""
    slug, entries = gates_of(directory, device)
    say(f"{len(entries)} gates on {slug}" + (f", the last {limit}" if len(entries) > limit else ""))
    for entry in entries[-limit:]:
        verdicts = ", ".join(f"{session} {verdict}" for session, verdict in entry.verdicts.items())
        say(terminal(f"{entry.date} {entry.commit} {entry.kind} {entry.model.name} {verdicts}", LONGEST))
        for name in entry.red[:LISTED]:
            say(f"    red: {terminal(name, LONGEST)}")
        if len(entry.red) > LISTED:
            say(f"    … and {len(entry.red) - LISTED} more red")


@history_app.command()
def plot(
    cell: Annotated[str, typer.Argument(help="glob pattern of benchmarks, or of BLOCK|BACKEND|FORMAT")],
    out: Annotated[Path, typer.Option("--out", help="FILE.svg, FILE.png or FILE.pdf")],
    what: Chosen = "latency",
    directory: Directory = Path("baselines"),
    device: Device = "",
) -> None:
    """Draw latencies or rounding ratios over commits, with lasting changes marked."""
    from mpcheck.report.history import THINGS, write_history_picture

    slug, series = series_named(directory, device, what, cell)
    write_history_picture(out, series, slug)
    say(f"wrote {out}: {len(series)} {THINGS[what]}, {max(len(s.points) for s in series)} entries")


@history_app.command()
def changes(
    cell: Annotated[str, typer.Argument(help="glob pattern of benchmarks, or of BLOCK|BACKEND|FORMAT")] = "*",
    what: Chosen = "latency",
    directory: Directory = Path("baselines"),
    device: Device = "",
) -> None:
    """List lasting changes: commit, effect with its 95 % interval, versions that changed with it."""
    from mpcheck._console import Grid
    from mpcheck.history.latency.change_points import MIN_SIZE
    from mpcheck.history.latency.series import change_points
    from mpcheck.report.history import THINGS, effect_words, unit_words

    slug, series = series_named(directory, device, what, cell)
    grid = Grid(f"lasting changes on {slug}", pad_edge=True)
    for column in ("cell", "first commit after", "last before", "date", "effect [95 %]", "in", "versions changed there"):
        grid.column(column, overflow="fold")
    for one in series:
        for c in change_points(one):
            row = (one.cell, c.commit, c.before, c.date, effect_words(c), unit_words(one.unit), ", ".join(c.versions) or "none")
            grid.row([terminal(text, LONGEST) for text in row])
    if len(grid):
        grid.show(200)
    short = sum(len(s.points) < 2 * MIN_SIZE for s in series)
    tail = f"; {short} have fewer than {2 * MIN_SIZE} entries, too few to tell" if short else ""
    say(f"{len(grid)} lasting changes in {len(series)} {THINGS[what]}{tail}")
