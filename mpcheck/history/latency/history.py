"""Every stored update and recorded run of a device, a line each: JSON Lines that are only ever appended to."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Annotated, Literal

from pydantic import Field

from mpcheck._files.documents import DocumentKind
from mpcheck._files.lines import REMEDY, append_line, read_lines
from mpcheck._files.stored import Model, Stamp
from mpcheck._files.yaml import Strict
from mpcheck.bench.figures import Seconds
from mpcheck.history.latency.baseline import BenchBaseline, rounded
from mpcheck.history.latency.device import DeviceKey
from mpcheck.history.latency.update import normalised_of, seconds_of

WHAT = "latency history"


class HistoryCell(Strict):
    """One benchmark's figures at one time.

    Attributes:
        normalised: by yardstick kernel, the median over launches.
        seconds: of a call, the median over launches.
    """

    normalised: dict[str, Seconds]
    seconds: Seconds
    launches: Annotated[int, Field(ge=1)]


class HistoryEntry(Stamp):
    """One line: one update of the baseline, or one run that was recorded without an update."""

    schema_version: Literal[1] = 1
    suite: Literal["bench-history"] = "bench-history"
    kind: Literal["update", "run"]
    reason: str = ""
    device: DeviceKey
    model: Model
    systems: dict[str, str]
    options: dict[str, int | str | bool]
    cells: dict[str, HistoryCell]


KIND = DocumentKind(HistoryEntry, WHAT, 1, REMEDY, "bench-history")


@dataclass(frozen=True)
class History:
    """A device's history.

    Attributes:
        damaged: lines that are no JSON, each with its number: what a killed process leaves. The others are read.
    """

    entries: list[HistoryEntry]
    damaged: list[str]


def history_path(directory: Path, slug: str) -> Path:
    """``baselines/<device>/bench-history.jsonl``."""
    return directory / slug / "bench-history.jsonl"


def entry_of(figures: BenchBaseline, kind: Literal["update", "run"], reason: str = "") -> HistoryEntry:
    """The line of a run's figures."""
    cells = {
        cell: HistoryCell(normalised=rounded(normalised_of(f)), seconds=rounded(seconds_of(f)), launches=len(f.launches))
        for cell, f in figures.cells.items()
    }
    return HistoryEntry(
        commit=figures.provenance.commit, date=figures.provenance.date, kind=kind, reason=reason, device=figures.device,
        model=figures.model, systems=figures.systems, options=figures.options, cells=cells,
    )  # fmt: skip


def read_history(path: Path) -> History:
    """All entries; none where there is no file.

    Raises:
        InputError: see :func:`mpcheck._files.lines.read_lines`; a line that is JSON but another kind of file's, of a future schema, or with a
            wrong field; it names the line.
    """
    lines, damaged = read_lines(path, WHAT)
    return History([KIND.check(data, where) for where, data in lines], damaged)


def append(path: Path, entry: HistoryEntry) -> None:
    """Add a line.

    Raises:
        InputError: see :func:`mpcheck._files.lines.append_line`.
    """
    append_line(path, entry, WHAT)
