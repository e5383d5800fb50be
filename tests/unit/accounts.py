"""Records that are whole: a plan that they fulfil, made of the records themselves."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable
from typing import Any

from mpcheck.records.record import Part, Planned, Record

Row = Record | dict[str, Any]


def key_of(row: Row) -> str:
    return row.get("key") or f"golden/{row['system']}" if isinstance(row, dict) else row.key or row.id


def accounted(rows: Iterable[Any]) -> list[Any]:
    """Rows with the key of their work, and which of its records they are."""
    rows = list(rows)
    total, seen, found = Counter(map(key_of, rows)), Counter[str](), []
    for row in rows:
        key = key_of(row)
        seen[key] += 1
        part = Part(number=seen[key], of=total[key])
        changes = {"key": key, "part": part}
        found.append({**row, "key": key, "part": part.model_dump()} if isinstance(row, dict) else row.model_copy(update=changes))
    return found


def plan(*rows: Iterable[Row]) -> dict[str, Any]:
    """The fields of a run that planned and did just these."""
    keys = dict.fromkeys(key_of(row) for some in rows for row in some)
    return {"plan": [Planned(key=key, check="made up") for key in keys], "state": "complete"}


def fields(**rows: Iterable[Row]) -> dict[str, Any]:
    """Fields of a document: ``cells``, ``golden``, ``findings``, and the plan of them."""
    whole = {name: accounted(some) for name, some in rows.items()}
    return {**whole, **plan(*whole.values())}
