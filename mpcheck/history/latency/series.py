"""One benchmark over time, out of a device's history."""

from __future__ import annotations

import json
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from fnmatch import fnmatchcase
from pathlib import Path

import numpy as np

from mpcheck._errors import InputError
from mpcheck._text import listed
from mpcheck.bench.decide.units import USUAL
from mpcheck.history.latency.change_points import LevelShift, shifts
from mpcheck.history.latency.history import HistoryEntry, read_history
from mpcheck.records.versions import changed_versions

MILLISECONDS = "ms"
SHARE = "share"


@dataclass(frozen=True)
class SeriesPoint:
    """One entry of a history.

    Attributes:
        value: in the unit of its series; seconds: of a call, as measured, and launches: of that, where it is a latency.
    """

    commit: str
    date: str
    value: float
    packages: dict[str, str]
    seconds: float = 0.0
    launches: int = 0


@dataclass(frozen=True)
class Series:
    """One benchmark's entries, oldest first.

    Attributes:
        unit: the yardstick kernel that the values are multiples of, or ``ms`` where the entries have none in common; ``share`` of the
            limit where they are rounding ratios.
    """

    cell: str
    unit: str
    points: list[SeriesPoint]

    @property
    def values(self) -> list[float]:
        """In ``unit``, oldest first."""
        return [p.value for p in self.points]


@dataclass(frozen=True)
class ChangePoint:
    """A lasting change of a series.

    Attributes:
        index: of the first point after it; commit, date: of that point; before: the commit of the last point before it.
        effect: relative, ``+0.05`` is 5 % slower; low, high: its 95 % interval.
        versions: packages that changed at that point, in words.
    """

    index: int
    commit: str
    before: str
    date: str
    effect: float
    low: float
    high: float
    versions: list[str]


def _context(entry: HistoryEntry, cell: str) -> str:
    """What must be the same along a series. Versions may differ: they are what drift is about."""
    system = cell.rpartition("/")[0].rpartition("*")[0]
    parts = [entry.model.digest, entry.systems.get(system, ""), entry.device.threads, entry.device.slug, sorted(entry.options.items())]
    return json.dumps(parts)


def chosen(names: Iterable[str], pattern: str, what: str, empty: str, glob: str = "") -> list[str]:
    """Names that match a glob pattern, or are it (a system's name may have brackets), each once, in their order.

    Args:
        what: a name is of; empty: what to say of a history without any; glob: to match with, where it is not the pattern itself.

    Raises:
        InputError: none does.
    """
    names = list(dict.fromkeys(names))
    matching = [n for n in names if n == pattern or fnmatchcase(n, glob or pattern)]
    if not matching:
        known = f"; known are {listed(names, 3)}" if names else f"; the history {empty}"
        raise InputError(f"no {what} in the history matches {pattern!r}{known}")
    return matching


def cells_of(entries: Sequence[HistoryEntry], pattern: str) -> list[str]:
    """Names of benchmarks that match a glob pattern, or are it.

    Raises:
        InputError: none does.
    """
    return chosen((cell for entry in entries for cell in entry.cells), pattern, "benchmark", "is empty")


def series_of(entries: Sequence[HistoryEntry], cell: str) -> Series:
    """A benchmark over the entries that measured what the last one of it did: model, structure, threads, options.

    Ordered by date, as entries of several machines' checkouts come together by merges.
    """
    own = sorted((e for e in entries if cell in e.cells), key=lambda e: e.time)
    own = [e for e in own if _context(e, cell) == _context(own[-1], cell)]
    shared = set.intersection(*(set(e.cells[cell].normalised) for e in own)) if own else set()
    unit = USUAL if USUAL in shared else min(shared, default=MILLISECONDS)
    points = []
    for e in own:
        c = e.cells[cell]
        value = c.normalised[unit] if shared else 1e3 * c.seconds
        points.append(SeriesPoint(e.commit, e.date, value, e.device.packages, c.seconds, c.launches))
    return Series(cell, unit, points)


def series(path: Path, cell: str) -> Series:
    """A benchmark over a device's history; without points where it is not in it.

    Raises:
        InputError: see :func:`mpcheck.history.latency.history.read_history`.
    """
    return series_of(read_history(path).entries, cell)


def change_points(measured: Series) -> list[ChangePoint]:
    """Lasting changes of a series, oldest first; see :func:`mpcheck.history.latency.change_points.shifts` for what is one."""

    def named(shift: LevelShift) -> ChangePoint:
        before, after = measured.points[shift.index - 1], measured.points[shift.index]
        effect, low, high = (float(np.expm1(x)) for x in (shift.effect, shift.low, shift.high))
        return ChangePoint(shift.index, after.commit, before.commit, after.date, effect, low, high, changed_versions(before.packages, after.packages))

    return [named(shift) for shift in shifts(measured.values)]
