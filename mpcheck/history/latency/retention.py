"""Which stored figures to drop, and dropping them."""

from __future__ import annotations

import datetime
from collections.abc import Iterable, Mapping, Sequence
from fnmatch import fnmatchcase
from pathlib import Path

from mpcheck._errors import InputError
from mpcheck._files.stored import Stamp
from mpcheck.history.latency.aa_rate import aa_path
from mpcheck.history.latency.baseline import BenchBaseline, bench_path, write_baseline


def matching(names: Iterable[str], pattern: str) -> list[str]:
    """Names that match a glob pattern, or are it (a system's name may have brackets)."""
    return sorted(n for n in names if n == pattern or fnmatchcase(n, pattern))


def age_days(stamp: Stamp, now: datetime.datetime) -> float:
    """Days since, not negative where clocks differ."""
    return max(0.0, (now - stamp.time).total_seconds() / 86400)


def plan(
    baselines: Mapping[str, BenchBaseline], keep: Sequence[str], older_than: float | None, cell: str | None, now: datetime.datetime
) -> dict[str, list[str]]:
    """Cells to drop, by device.

    Args:
        keep: patterns of devices to keep; all others are dropped whole. Empty: all are kept.
        older_than: days; cell: a pattern. Where both are given a cell must meet both.

    Raises:
        InputError: a pattern that matches nothing, which would drop more, or less, than was meant.
    """
    for pattern in keep:
        if not matching(baselines, pattern):
            raise InputError(f"--keep-device {pattern}: no device matches; known are {', '.join(baselines)}")
    if cell is not None and not any(matching(b.cells, cell) for b in baselines.values()):
        raise InputError(f"--cell {cell}: no stored benchmark matches")
    doomed = {}
    for slug, b in baselines.items():
        if keep and not any(matching([slug], pattern) for pattern in keep):
            names = sorted(b.cells)
        elif older_than is None and cell is None:
            names = []
        else:
            names = [n for n in matching(b.cells, cell or "*") if older_than is None or age_days(b.origin(n), now) >= older_than]
        if names:
            doomed[slug] = names
    return doomed


def remove(directory: Path, baselines: Mapping[str, BenchBaseline], doomed: Mapping[str, Sequence[str]]) -> list[Path]:
    """Drop cells; a device's last one goes with its file and its false-alarm rate.

    Returns:
        files rewritten or removed.
    """
    changed = []
    for slug, names in doomed.items():
        path, old = bench_path(directory, slug), baselines[slug]
        cells = {n: f for n, f in old.cells.items() if n not in set(names)}
        if cells:
            write_baseline(path, old.model_copy(update={"cells": cells, "origins": {n: o for n, o in old.origins.items() if n in cells}}))
            changed.append(path)
            continue
        for gone in (path, aa_path(directory, slug)):
            if gone.exists():
                try:
                    gone.unlink()
                except OSError as error:
                    raise InputError(f"cannot remove {gone}: {error.strerror or error}; make its directory writable") from error
                changed.append(gone)
    return changed
