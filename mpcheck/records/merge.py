"""Parts of one session, measured by several machines, put together again: the records that one machine would have written."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from mpcheck._errors import InputError
from mpcheck._text import listed, shortened
from mpcheck.records.finding import Finding, Findings
from mpcheck.records.record import Cell, Run
from mpcheck.records.shards import ROWS, SHARD, Shard, by_first_seen, parse_shard, places

Document = Run | Findings
Row = Cell | Finding | dict[str, Any]
SAME = ("suite", "schema_version", "mpcheck")
ENVIRONMENT = ("mpcheck_digest", "device_slug", "device_name", "packages", "flags")
OWN = (SHARD, ROWS, "cache", "device")
"""Options that parts need not share: which part it is; where a machine keeps its references; which of its GPUs it used."""
UNKNOWN = (None, "", "unknown")
STATES = ("crashed", "interrupted", "running", "complete")
SAID = 120  # characters of what parts say that do not agree
"""Worst first."""


@dataclass(frozen=True)
class Part:
    """One part as read."""

    path: Path
    document: Document
    shard: Shard


def merge(parts: Sequence[tuple[Path, Document]]) -> Document:
    """One document of all the parts of a session: rows in the order of the whole session, times added up.

    Args:
        parts: of one sharded run, in any order; or documents that no shard made, whose rows are joined in the order given, a single one as
            it is.

    Raises:
        InputError: parts of different sessions, models, devices, seeds, versions or options; a part that is missing, or there twice; a
            whole session among parts; the same row with two different contents.
    """
    (_, only), *rest = parts
    sharded = any(document.options.get(SHARD) for _, document in parts)
    if not rest and not sharded:
        return only
    if sharded:
        found = _complete([Part(path, document, _shard_of(path, document)) for path, document in parts])
    else:  # measured apart by hand: what they agree about is one session, in the order given
        found = [Part(path, document, Shard(number, len(parts))) for number, (path, document) in enumerate(parts, 1)]
    first = found[0].document
    for other in found[1:]:
        for what, ours, theirs in _compared(first, other.document):
            if ours != theirs:
                raise InputError(
                    f"{found[0].path} and {other.path} are no parts of one run: {what} is {shortened(ours, SAID)} and "
                    f"{shortened(theirs, SAID)}; merge parts of one run"
                )
    changes: dict[str, Any] = {
        "options": {k: v for k, v in first.options.items() if k not in (SHARD, ROWS)},
        "environment": _environment([part.document for part in found]),
        "seconds": round(sum(part.document.seconds for part in found), 3),
    }
    for name in ("cells", "golden") if isinstance(first, Run) else ("findings",):
        changes[name] = _rows(found, name)
    changes |= _accounts(found)
    return first.model_copy(update=changes)


def _accounts(parts: Sequence[Part]) -> dict[str, Any]:
    """What the parts say of themselves, together: all their plans, and the worst of their ends. What one left out, another may have done."""
    plan = {planned.key: planned for part in parts for planned in part.document.plan}
    order = _order(parts)
    plan = dict(sorted(plan.items(), key=lambda entry: order.get(entry[0], len(plan))))
    worst = min((part.document for part in parts), key=lambda d: STATES.index(d.state))
    narrowed: dict[str, list[str]] = {}
    for kind in parts[0].document.narrowed:
        every = [part.document.narrowed.get(kind, []) for part in parts]
        narrowed[kind] = [name for name in every[0] if all(name in names for names in every)]
    return {"plan": list(plan.values()), "state": worst.state, "why": worst.why, "narrowed": {k: v for k, v in narrowed.items() if v}}


def _shard_of(path: Path, document: Document) -> Shard:
    text = document.options.get(SHARD)
    if not text:
        raise InputError(f"{path} is a whole {document.suite} session, run without --shard; give the parts alone, or it alone")
    return parse_shard(text if isinstance(text, str) else repr(text), f"records {path}: field options.{SHARD}")


def _complete(parts: Sequence[Part]) -> list[Part]:
    """The parts in their order, where each is there once."""
    first = parts[0]
    by_number: dict[int, Part] = {}
    for part in parts:
        if part.shard.of != first.shard.of:
            raise InputError(f"{first.path} is part {first.shard} and {part.path} is part {part.shard}: give the parts of one division")
        if part.shard.number in by_number:
            raise InputError(f"part {part.shard} is there twice: {by_number[part.shard.number].path} and {part.path}; give each part once")
        by_number[part.shard.number] = part
    of, suite = first.shard.of, first.document.suite
    if len(by_number) < of:
        missing = [number for number in range(1, min(of, 10_000) + 1) if number not in by_number]
        named = ", ".join(f"{n}/{of}" for n in missing[:8]) + (f" and {of - len(by_number) - 8} more" if of - len(by_number) > 8 else "")
        have = listed([str(part.path) for part in parts], 3)
        raise InputError(f"the {suite} session is not whole: part {named} is missing beside {have}; give the records of every part")
    return [by_number[number] for number in sorted(by_number)]


def _compared(first: Document, other: Document) -> Iterator[tuple[str, object, object]]:
    for name in SAME:
        yield name, getattr(first, name), getattr(other, name)
    if first.model["digest"] != other.model["digest"]:
        yield "model", *_told_apart(first.model, other.model)
    for name in ENVIRONMENT:
        yield name, first.environment.get(name), other.environment.get(name)
    ours, theirs = first.environment.get("commit"), other.environment.get("commit")
    if ours not in UNKNOWN and theirs not in UNKNOWN:
        yield "commit", ours, theirs
    for name in sorted({*first.options, *other.options} - set(OWN)):
        yield f"option {name}", first.options.get(name), other.options.get(name)
    yield "systems", _systems(first), _systems(other)


def _told_apart(ours: Mapping[str, Any], theirs: Mapping[str, Any]) -> tuple[str, str]:
    """Names of two models, with digests where the names do not tell."""
    a, b = str(ours["name"]), str(theirs["name"])
    return (a, b) if a != b else (f"{a} ({ours['digest'][:12]})", f"{b} ({theirs['digest'][:12]})")


def _systems(document: Document) -> dict[str, object]:
    return {str(system.get("name")): system.get("digest") for system in document.systems}


def _environment(documents: Sequence[Document]) -> dict[str, Any]:
    """The first part's, as old as the oldest."""
    found = dict(documents[0].environment)
    dates = [d for document in documents if isinstance(d := document.environment.get("date"), str)]
    return found | ({"date": min(dates)} if dates else {})


def _order(parts: Sequence[Part]) -> dict[str, int]:
    """Where each piece of work stands in the whole session's plan, as the places of its records say."""
    found: dict[str, int] = {}
    for part in parts:
        told = part.document.options.get(ROWS)
        for name in ("cells", "golden", "findings"):
            rows = getattr(part.document, name, [])
            if isinstance(told, dict) and rows:
                where = f"records {part.path}: field options.{ROWS}.{name}"
                found |= {_key(row): place for place, row in zip(places(told.get(name, []), len(rows), where), rows, strict=True)}
    return found


def _key(row: Row) -> str:
    return str(row["key"]) if isinstance(row, dict) else row.key or row.id


def _rows(parts: Sequence[Part], name: str) -> list[Row]:
    """Rows in the order of the whole session where the parts say it, part after part where they do not."""
    placed: list[tuple[int, Part, Row]] = []
    for part in parts:
        rows: list[Row] = getattr(part.document, name)
        order = part.document.options.get(ROWS)
        if order is None:
            placed += [(0, part, row) for row in rows]
            continue
        where = f"records {part.path}: field options.{ROWS}.{name}"
        told = order.get(name, []) if isinstance(order, dict) else None
        placed += [(place, part, row) for place, row in zip(places(told, len(rows), where), rows, strict=True)]
    if all(part.document.options.get(ROWS) is not None for part in parts):
        placed.sort(key=lambda entry: entry[0])
    placed = by_first_seen(placed, lambda entry: entry[2].check if isinstance(entry[2], Finding) else "")
    found: dict[str, tuple[Path, Row]] = {}
    for _, part, row in placed:
        key = f"{row['system']} {row['name']}" if isinstance(row, dict) else row.id
        path, other = found.setdefault(key, (part.path, row))
        if other is not row and _content(other) != _content(row):
            raise InputError(
                f"{path} and {part.path} disagree about {shortened(key, SAID)}: {_verdict(other)} and {_verdict(row)}; run both parts again"
            )
    return [row for _, row in found.values()]


def _content(row: Row) -> object:
    return row if isinstance(row, dict) else row.model_dump(exclude={"seconds"})


def _verdict(row: Row) -> str:
    if isinstance(row, dict):
        return shortened(row.get("failure") or "pass", SAID)
    ratio = row.worst_rms if isinstance(row, Cell) else row.ratio
    return row.verdict + (f" at {ratio:.4g}" if ratio is not None else "")
