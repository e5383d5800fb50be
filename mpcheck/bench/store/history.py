"""Every stored update and recorded run of a device, a line each: JSON Lines that are only ever appended to."""

from __future__ import annotations

import json
import os
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated, Literal

import filelock
from pydantic import Field

from mpcheck._errors import InputError
from mpcheck._json import BrokenError, parse
from mpcheck._yaml import Strict
from mpcheck.bench.figures import Seconds
from mpcheck.bench.store.baseline import BenchBaseline, Model, Stamp, rounded
from mpcheck.bench.store.device import DeviceKey
from mpcheck.bench.store.documents import bounded_text, check
from mpcheck.bench.store.update import normalised_of, seconds_of

SUITE = "bench-history"
REMEDY = "restore the file from version control, or remove that line"
LOCK_SECONDS = 30.0


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

    A line that is no JSON is reported, not refused: a killed process must not stop every later run.

    Raises:
        InputError: not a file, more than 64 MiB; a line that is JSON but another kind of file's, of a future schema, or with a
            wrong field; it names the line.
    """
    found, damaged = [], []
    text = bounded_text(path, "latency history", REMEDY) or ""
    for number, line in enumerate(text.split("\n"), 1):
        if not line.strip():
            continue
        try:
            data = parse(line)
        except BrokenError as error:
            damaged.append(f"latency history {path} line {number}: {error}; it is passed over, {REMEDY}")
            continue
        found.append(check(HistoryEntry, data, f"latency history {path} line {number}", SUITE, REMEDY))
    return History(found, damaged)


def append(path: Path, entry: HistoryEntry) -> None:
    """Add a line in one write, under a lock; a truncated last line is closed first, and stays as it is.

    Raises:
        InputError: the place cannot be written, is full, or is locked for half a minute. What was there before is kept.
    """
    line = json.dumps(entry.model_dump(), separators=(",", ":")) + "\n"
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        with filelock.FileLock(path.with_name(f".{path.name}.lock"), timeout=LOCK_SECONDS):
            handle = os.open(path, os.O_RDWR | os.O_APPEND | os.O_CREAT, 0o666)
            try:
                before = os.fstat(handle).st_size
                if before and os.pread(handle, 1, before - 1) != b"\n":
                    line = "\n" + line
                data = line.encode()
                try:
                    whole = os.write(handle, data) == len(data)
                except OSError:
                    os.ftruncate(handle, before)
                    raise
                if not whole:  # the disk is full
                    os.ftruncate(handle, before)
                    raise InputError(f"latency history {path}: no space left; free some and run the command again")
                os.fsync(handle)
            finally:
                os.close(handle)
    except filelock.Timeout as error:
        raise InputError(f"latency history {path} has been locked for {LOCK_SECONDS:g} s by another process; wait for it and try again") from error
    except OSError as error:
        raise InputError(f"cannot write {path}: {error.strerror or error}; choose a writable place with free space") from error
