"""Parts of one session, measured by several workers or machines, put together again."""

from __future__ import annotations

import json
from collections.abc import Sequence
from pathlib import Path
from typing import TypeVar

from mpcheck._errors import InputError
from mpcheck.findings import Findings
from mpcheck.records import Run

Document = Run | Findings
Row = TypeVar("Row")
SAME = ("suite", "mpcheck", "schema_version")
VERSIONS = ("packages", "device_slug", "device_name")


def merge(parts: Sequence[tuple[Path, Document]]) -> Document:
    """One document of several: their rows in order, times added up.

    Raises:
        InputError: parts of different sessions, models, seeds, versions or devices; the same row with two different conclusions.
    """
    (first_path, first), *rest = parts
    if not rest:
        return first
    for path, other in rest:
        for what, ours, theirs in _compared(first, other):
            if ours != theirs:
                raise InputError(f"{first_path} and {path} are no parts of one run: {what} is {ours} and {theirs}; merge parts of one run")
    seconds = round(sum(d.seconds for _, d in parts), 3)
    systems = list({json.dumps(s, sort_keys=True): s for _, d in parts for s in d.systems}.values())
    if isinstance(first, Run):
        runs = [(p, d) for p, d in parts if isinstance(d, Run)]
        cells = _unique([(p, c.id, c) for p, d in runs for c in d.cells])
        golden = _unique([(p, f"{g['system']} {g['name']}", g) for p, d in runs for g in d.golden])
        return first.model_copy(update={"cells": cells, "golden": golden, "seconds": seconds, "systems": systems})
    rows = _unique([(p, f.id, f) for p, d in parts if isinstance(d, Findings) for f in d.findings])
    return first.model_copy(update={"findings": rows, "seconds": seconds, "systems": systems})


def _compared(first: Document, other: Document) -> list[tuple[str, object, object]]:
    found: list[tuple[str, object, object]] = [(name, getattr(first, name), getattr(other, name)) for name in SAME]
    found.append(("model", first.model["digest"], other.model["digest"]))
    found.append(("seed", first.options.get("seed"), other.options.get("seed")))
    found += [(name, first.environment.get(name), other.environment.get(name)) for name in VERSIONS]
    return found


def _unique(rows: Sequence[tuple[Path, str, Row]]) -> list[Row]:
    """Rows by their ids. Two workers may both judge what a whole suite shares; they may not disagree about it."""
    found: dict[str, tuple[Path, Row]] = {}
    for path, name, row in rows:
        if name not in found:
            found[name] = path, row
        elif _verdict(found[name][1]) != _verdict(row):
            raise InputError(f"{found[name][0]} and {path} disagree about {name}: {_verdict(found[name][1])} and {_verdict(row)}")
    return [row for _, row in found.values()]


def _verdict(row: object) -> object:
    return row.get("failure") if isinstance(row, dict) else getattr(row, "verdict", None)
