"""``mpcheck baseline``: store latencies, show them, drop old ones."""

from __future__ import annotations

import datetime
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from mpcheck._errors import InputError
from mpcheck._text import say

if TYPE_CHECKING:
    from mpcheck._console import Grid
    from mpcheck.history.latency.baseline import BenchBaseline
    from mpcheck.history.latency.update import CellChange

baseline_app = typer.Typer(no_args_is_help=True, help="Stored latencies: update, show, prune.")

Directory = Annotated[Path, typer.Option("--dir", help="directory of the baselines")]
SHOWN = 60
WIDTH = 180  # of tables where no terminal says


def _grid(title: str, columns: tuple[str, ...], numbers: tuple[str, ...] = ()) -> Grid:
    from mpcheck._console import Grid

    grid = Grid(title, pad_edge=True)
    for column in columns:
        grid.column(column, right=column in numbers, overflow="fold")
    return grid


def figures_of(records: Path) -> tuple[Path, BenchBaseline]:
    """The figures of a run, by the name of its records or their own.

    Args:
        records: ``bench.json``, whose figures are in ``bench-figures.json`` beside it; or that file.

    Raises:
        InputError: missing, damaged, not of a bench session, or the two are of different models.
    """
    from mpcheck.history.latency.baseline import read_baseline
    from mpcheck.records.document import read_records
    from mpcheck.sessions.registry import get

    remedy = "make them anew with `mpcheck bench`"
    if records.stem.endswith("-figures"):
        figures, run = records, None
    else:
        figures, run = records.with_name(f"{records.stem}-figures{records.suffix}"), read_records(records)
        if not get(run.suite).against:
            raise InputError(f"records {records}: suite is {run.suite!r}, which stores no latencies; give what `mpcheck bench` wrote")
    measured = read_baseline(figures, "figures", remedy)
    if measured is None:
        raise InputError(f"figures {figures} do not exist; {remedy}")
    if run is not None and run.model.digest != measured.model.digest:
        raise InputError(f"figures {figures}: model.digest is not the one in {records}: they are of another run; {remedy}")
    return figures, measured


def _print_changes(slug: str, cells: list[CellChange]) -> None:
    grid = _grid(f"changes of {slug}", ("cell", "change", "what"))
    shown = [c for c in cells if c.kind != "unchanged"]
    for change in shown[:SHOWN]:
        grid.row([change.cell, ("! " if change.loosens else "") + change.kind, change.text])
    if shown:
        grid.show(WIDTH)
    if len(shown) > SHOWN:
        say(f"and {len(shown) - SHOWN} more")
    counts = {kind: sum(c.kind == kind for c in cells) for kind in dict.fromkeys(c.kind for c in cells)}
    say(", ".join(f"{n} {kind}" for kind, n in counts.items()) + " (! loosens the gate)")


@baseline_app.command()
def update(
    records: Annotated[Path, typer.Argument(help="records of a bench run (bench.json), with bench-figures.json beside them")],
    directory: Directory = Path("baselines"),
    reason: Annotated[str, typer.Option("--reason", help="why the gate is loosened; needed where it is")] = "",
    prune: Annotated[bool, typer.Option("--prune", help="drop stored cells that the run did not measure")] = False,
    dry_run: Annotated[bool, typer.Option("--dry-run", help="print what would change, and write nothing")] = False,
) -> None:
    """Store a run's latencies as the baseline of its device. Prints what changes; loosening needs a reason."""
    source, new = figures_of(records)
    _store(new, [records, source], directory, reason, prune, dry_run)


def _store(new: BenchBaseline, inputs: list[Path], directory: Path, reason: str, prune: bool, dry_run: bool) -> None:
    """Put figures in their place, and say what changes."""
    from mpcheck._files.kinds import stored_of
    from mpcheck._files.outputs import Output, refuse_outputs
    from mpcheck.history.latency.baseline import bench_path, read_baseline, write_baseline
    from mpcheck.history.latency.history import append, entry_of, history_path, read_history
    from mpcheck.history.latency.update import changes, check_reason, merged

    slug = new.device.slug
    path, log = bench_path(directory, slug), history_path(directory, slug)
    old, history = read_baseline(path), read_history(log)
    refuse_outputs([Output(path, stored_of(new.suite), "--dir")], inputs)
    for line in history.damaged:
        say(f"warning: {line}", error=True)
    cells = changes(old, new, prune)
    _print_changes(slug, cells)
    if dry_run:
        needs = "; it needs --reason" if any(c.loosens for c in cells) and not reason.strip() else ""
        say(f"dry run: nothing was written{needs}")
        return
    check_reason(cells, slug, reason)
    if old is None or any(c.takes for c in cells):
        write_baseline(path, merged(old, new, cells, reason.strip()))
        say(f"wrote {path}, {path.stat().st_size / 1024:.0f} KiB")
    else:
        say(f"{path} stays as it is: nothing moved by more than the margin")
    entry = entry_of(new, "update", reason.strip())
    if history.entries and history.entries[-1] == entry:
        say(f"{log} has this run already")
        return
    append(log, entry)
    say(f"appended to {log}")


@baseline_app.command()
def adopt(
    survey: Annotated[Path, typer.Argument(help="directory that `mpcheck survey --out` wrote")],
    directory: Directory = Path("baselines"),
    reason: Annotated[str, typer.Option("--reason", help="why the gate is loosened; needed where it is")] = "",
    dry_run: Annotated[bool, typer.Option("--dry-run", help="print what would change, and write nothing")] = False,
) -> None:
    """Put what a survey of a device left in place: ratios, latencies, the rate of false alarms. Prints what changes; loosening needs a reason."""
    from mpcheck.history.latency.baseline import bench_path, read_baseline
    from mpcheck.history.latency.update import changes, check_reason
    from mpcheck.judge.tolerances import load_tolerances
    from mpcheck.sessions.survey.adopt import left, put, ratio_changes

    found = left(survey)
    lines, loosened = ratio_changes(found, directory, load_tolerances(None).drift)
    for line in lines[:SHOWN]:
        say(f"ratios: {'! ' if line in loosened else ''}{line}")
    if len(lines) > SHOWN:
        say(f"and {len(lines) - SHOWN} more")
    if found.rates is not None:
        for rate in found.rates.rates:
            say(f"false alarms ({rate.mode}): {rate.reason}")
    for part, why in found.passed_over.items():
        say(f"{part} left nothing to take: {why}")
    if not dry_run and loosened and not reason.strip():  # before anything is written
        raise InputError(f"the ratios of {found.slug} would loosen in {len(loosened)} entries ({loosened[0]}); say why with --reason")
    if found.figures is not None:
        if not dry_run:
            check_reason(changes(read_baseline(bench_path(directory, found.slug)), found.figures), found.slug, reason)
        _store(found.figures, [], directory, reason, False, dry_run)
    if not dry_run:
        for path in put(found, directory, reason.strip()):
            say(f"wrote {path}")


def stored(directory: Path) -> dict[str, BenchBaseline]:
    """Every device's baseline in a directory, by slug.

    Raises:
        InputError: there is none, or one is damaged.
    """
    from mpcheck.history.latency.baseline import bench_path, read_baseline

    slugs = sorted(p.name for p in directory.iterdir() if p.is_dir()) if directory.is_dir() else []
    baselines = {slug: b for slug in slugs if (b := read_baseline(bench_path(directory, slug))) is not None}
    if not baselines:
        raise InputError(f"no latency baseline in {directory}; store one with `mpcheck baseline update`, or give another --dir")
    return baselines


@baseline_app.command()
def show(
    directory: Directory = Path("baselines"),
    device: Annotated[str, typer.Option("--device", help="glob pattern of device directories")] = "*",
    cell: Annotated[str, typer.Option("--cell", help="glob pattern of benchmarks")] = "*",
) -> None:
    """Stored latencies: median, spread between launches, yardstick ratio, age, commit; and the machine's false-alarm rate."""
    from mpcheck.bench.decide.units import yardstick_of
    from mpcheck.history.latency.aa_rate import aa_path, read_aa
    from mpcheck.history.latency.retention import age_days, matching
    from mpcheck.history.latency.update import normalised_of, seconds_of, spread_of

    now = datetime.datetime.now(datetime.timezone.utc)
    chosen = {slug: b for slug, b in stored(directory).items() if matching([slug], device)}
    if not chosen:
        raise InputError(f"--device {device}: no device in {directory} matches")
    if not any(matching(b.cells, cell) for b in chosen.values()):
        raise InputError(f"--cell {cell}: no stored benchmark matches")
    for slug, b in chosen.items():
        numbers = ("median ms", "spread %", "launches", "in yardsticks", "days")
        grid = _grid(f"{b.model.name} on {b.device.name} ({slug})", ("cell", *numbers, "commit"), numbers)
        for name in matching(b.cells, cell):
            f, origin = b.cells[name], b.origin(name)
            spread, kernel, ratios = spread_of(f), yardstick_of(f.launches), normalised_of(f)
            ratio = f"{ratios[kernel]:.4g} {kernel}" if kernel in ratios else "–"
            figures = (f"{1e3 * seconds_of(f):.4g}", "–" if spread is None else f"{100 * spread:.1f}", str(len(f.launches)), ratio)
            grid.row([name, *figures, f"{age_days(origin, now):.0f}", origin.commit])
        grid.show(WIDTH)
        rates = read_aa(aa_path(directory, slug))
        for rate in rates.rates if rates is not None else ():
            say(f"false alarms ({rate.mode}): {rate.reason}")
        if rates is None:
            say("false alarms: not measured on this device")


@baseline_app.command()
def prune(
    directory: Directory = Path("baselines"),
    keep_device: Annotated[list[str] | None, typer.Option("--keep-device", help="drop all devices but these (glob); repeat for several")] = None,
    older_than: Annotated[float | None, typer.Option("--older-than", help="drop cells of at least so many days", min=0)] = None,
    cell: Annotated[str | None, typer.Option("--cell", help="drop cells that match (glob); with --older-than: those of them")] = None,
    yes: Annotated[bool, typer.Option("--yes", help="do it; without, it is only printed")] = False,
) -> None:
    """Drop stored latencies. Histories stay: they are only appended to."""
    from mpcheck.history.latency.retention import plan, remove

    if not keep_device and older_than is None and cell is None:
        raise InputError("nothing chosen: give --keep-device, --older-than or --cell")
    baselines = stored(directory)
    doomed = plan(baselines, keep_device or [], older_than, cell, datetime.datetime.now(datetime.timezone.utc))
    if not doomed:
        say("nothing to remove")
        return
    for slug, names in doomed.items():
        whole = len(names) == len(baselines[slug].cells)
        say(f"{slug}: {'all ' if whole else ''}{len(names)} cells" + (", and its false-alarm rate" if whole else ""))
        for name in names[:SHOWN]:
            say(f"  {name}")
        if len(names) > SHOWN:
            say(f"  and {len(names) - SHOWN} more")
    if not yes:
        say("nothing was removed; add --yes to do it")
        return
    for path in remove(directory, baselines, doomed):
        say(f"changed {path}")
