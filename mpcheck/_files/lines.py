"""Histories: JSON Lines that are only ever appended to, by several processes, and that survive killed ones."""

from __future__ import annotations

import os
from collections.abc import Callable
from pathlib import Path
from typing import Any

from pydantic import BaseModel

from mpcheck._errors import InputError
from mpcheck._files.documents import BrokenError, dumps, parse, text_if_there
from mpcheck._files.io import refuse_irregular
from mpcheck._files.locks import locked

REMEDY = "restore the file from version control, or remove that line"


def read_lines(path: Path, what: str) -> tuple[list[tuple[str, Any]], list[str]]:
    """The data of every line with its place in words, and what is damaged; nothing where there is no file.

    A line that is no JSON is reported, not refused: a killed process must not stop every later run.

    Args:
        what: the file is, for errors.

    Raises:
        InputError: not a file, more than 64 MiB, not UTF-8.
    """
    entries, damaged = [], []
    for number, line in enumerate((text_if_there(path, what, REMEDY) or "").split("\n"), 1):
        if not line.strip():
            continue
        where = f"{what} {path} line {number}"
        try:
            entries.append((where, parse(line)))
        except BrokenError as error:
            damaged.append(f"{where}: {error}; it is passed over, {REMEDY}")
    return entries, damaged


def append_line(path: Path, entry: BaseModel, what: str, known: Callable[[], bool] = lambda: False) -> bool:
    """Add a line in one write, under a lock; a truncated last line is closed first, and stays as it is.

    Args:
        known: asked under the lock; nothing is added where it is true.

    Returns:
        Whether a line was added.

    Raises:
        InputError: the place cannot be written, is full, or is locked for too long (:mod:`mpcheck._files.locks`). What was there before is kept.
    """
    line = dumps(entry.model_dump(), separators=(",", ":")) + "\n"
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        with locked(path.with_name(f".{path.name}.lock"), f"{what} {path}"):
            refuse_irregular(path, what)
            if known():
                return False
            _append(path, line, what)
            return True
    except OSError as error:
        raise InputError(f"cannot write {path}: {error.strerror or error}; choose a writable place with free space") from error


def _append(path: Path, line: str, what: str) -> None:
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
            raise InputError(f"{what} {path}: no space left; free some and run the command again")
        os.fsync(handle)
    finally:
        os.close(handle)
