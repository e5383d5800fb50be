"""How large records may be: they may come from a pull request of somebody unknown."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from mpcheck._errors import InputError
from mpcheck._files.io import MAX_TEXT_BYTES


@dataclass(frozen=True)
class Limits:
    """What is read at most.

    Attributes:
        file_bytes: of one file.
        rows: records of one file.
        text: characters of one text.
        depth: of nested lists and objects.
    """

    file_bytes: int = MAX_TEXT_BYTES
    rows: int = 1_000_000
    text: int = 100_000
    depth: int = 12


OWN = Limits()
"""Of records that the user names."""
UNTRUSTED = Limits(file_bytes=48 << 20, rows=200_000, text=10_000)
"""Of artifacts that a pull request's code wrote. The built-in model's 2,960 cells take 7.4 MB; a whole gate reads five files."""


def _walk(data: Any, depth: int) -> Iterator[tuple[int, Any]]:
    yield depth, data
    if isinstance(data, dict):
        for key, value in data.items():
            yield depth, key
            yield from _walk(value, depth + 1)
    elif isinstance(data, list):
        for value in data:
            yield from _walk(value, depth + 1)


def within(data: dict[str, Any], path: Path, limits: Limits) -> None:
    """Refuse parsed records that are larger than anything a session writes.

    Raises:
        InputError: too many rows, too long a text, nested too deep.
    """
    for name in ("records", "cells", "findings", "golden"):
        rows = data.get(name)
        if isinstance(rows, (list, dict)) and len(rows) > limits.rows:
            raise InputError(f"records {path}: field {name} has {len(rows):,} rows, {limits.rows:,} are read at most")
    for depth, value in _walk(data, 0):
        if depth > limits.depth:
            raise InputError(f"records {path}: nested deeper than {limits.depth} levels; this cannot be the right file")
        if isinstance(value, str) and len(value) > limits.text:
            raise InputError(f"records {path}: a text of {len(value):,} characters, {limits.text:,} are read at most")
