"""Parts of one session, measured by several machines, put together again: the records that one machine would have written."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from mpcheck._errors import InputError
from mpcheck._text import listed, shortened
from mpcheck.records.document import Environment, JudgedModel, Records
from mpcheck.records.record import Record
from mpcheck.records.shards import RECORDS, ROWS, SHARD, Shard, by_first_seen, parse_shard, places

SAME = ("suite", "schema_version", "mpcheck")
ENVIRONMENT = ("mpcheck_digest", "device_slug", "device_name", "packages", "flags")
OWN = (SHARD, ROWS, "cache", "device")
"""Options that parts need not share: which part it is; where a machine keeps its references; which of its GPUs it used."""
UNKNOWN = ("", "unknown")
STATES = ("crashed", "interrupted", "running", "complete")
SAID = 120  # characters of what parts say that do not agree
"""Worst first."""


@dataclass(frozen=True)
class ReadPart:
    """One part as read."""

    path: Path
    document: Records
    shard: Shard


def merge(parts: Sequence[tuple[Path, Records]]) -> Records:
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
        ordered = _complete([ReadPart(path, document, _shard_of(path, document)) for path, document in parts])
    else:  # measured apart by hand: what they agree about is one session, in the order given
        ordered = [ReadPart(path, document, Shard(number, len(parts))) for number, (path, document) in enumerate(parts, 1)]
    first = ordered[0].document
    for other in ordered[1:]:
        for what, ours, theirs in _compared(first, other.document):
            if ours != theirs:
                raise InputError(
                    f"{ordered[0].path} and {other.path} are no parts of one run: {what} is {shortened(ours, SAID)} and "
                    f"{shortened(theirs, SAID)}; merge parts of one run"
                )
    changes: dict[str, Any] = {
        "options": {k: v for k, v in first.options.items() if k not in (SHARD, ROWS)},
        "environment": _environment([part.document for part in ordered]),
        "seconds": round(sum(part.document.seconds for part in ordered), 3),
    }
    changes["records"] = _records(ordered)
    changes |= _accounts(ordered)
    return first.model_copy(update=changes)


def _accounts(parts: Sequence[ReadPart]) -> dict[str, Any]:
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


def _shard_of(path: Path, document: Records) -> Shard:
    text = document.options.get(SHARD)
    if not text:
        raise InputError(f"{path} is a whole {document.suite} session, run without --shard; give the parts alone, or it alone")
    return parse_shard(text if isinstance(text, str) else repr(text), f"records {path}: field options.{SHARD}")


def _complete(parts: Sequence[ReadPart]) -> list[ReadPart]:
    """The parts in their order, where each is there once."""
    first = parts[0]
    by_number: dict[int, ReadPart] = {}
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


def _compared(first: Records, other: Records) -> Iterator[tuple[str, object, object]]:
    for name in SAME:
        yield name, getattr(first, name), getattr(other, name)
    if first.model.digest != other.model.digest:
        yield "model", *_told_apart(first.model, other.model)
    for name in ENVIRONMENT:
        yield name, getattr(first.environment, name), getattr(other.environment, name)
    ours, theirs = first.environment.commit, other.environment.commit
    if ours not in UNKNOWN and theirs not in UNKNOWN:
        yield "commit", ours, theirs
    for name in sorted({*first.options, *other.options} - set(OWN)):
        yield f"option {name}", first.options.get(name), other.options.get(name)
    yield "systems", _systems(first), _systems(other)


def _told_apart(ours: JudgedModel, theirs: JudgedModel) -> tuple[str, str]:
    """Names of two models, with digests where the names do not tell."""
    a, b = ours.name, theirs.name
    return (a, b) if a != b else (f"{a} ({ours.digest[:12]})", f"{b} ({theirs.digest[:12]})")


def _systems(document: Records) -> dict[str, str]:
    return {system.name: system.digest for system in document.systems}


def _environment(documents: Sequence[Records]) -> Environment:
    """The first part's, as old as the oldest."""
    dates = [document.environment.date for document in documents if document.environment.date]
    return documents[0].environment.model_copy(update={"date": min(dates)} if dates else {})


def _places(part: ReadPart) -> list[int] | None:
    """Where each record of a part stands in the whole session; None where the part does not say."""
    told = part.document.options.get(ROWS)
    if told is None:
        return None
    where = f"records {part.path}: field options.{ROWS}.{RECORDS}"
    return places(told.get(RECORDS, []) if isinstance(told, dict) else None, len(part.document.records), where)


def _order(parts: Sequence[ReadPart]) -> dict[str, int]:
    """Where each piece of work stands in the whole session's plan, as the places of its records say."""
    order: dict[str, int] = {}
    for part in parts:
        order |= {record.key or record.id: place for place, record in zip(_places(part) or (), part.document.records, strict=False)}
    return order


def _records(parts: Sequence[ReadPart]) -> list[Record]:
    """Records in the order of the whole session where the parts say it, part after part where they do not."""
    placed: list[tuple[int, ReadPart, Record]] = []
    told = [_places(part) for part in parts]
    for part, own in zip(parts, told, strict=True):
        placed += [(place, part, record) for place, record in zip(own or [0] * len(part.document.records), part.document.records, strict=True)]
    if all(own is not None for own in told):
        placed.sort(key=lambda entry: entry[0])
    placed = by_first_seen(placed, lambda entry: entry[2].check)
    by_id: dict[str, tuple[Path, Record]] = {}
    for _, part, record in placed:
        path, other = by_id.setdefault(record.id, (part.path, record))
        if other is not record and _content(other) != _content(record):
            said = f"{shortened(record.id, SAID)}: {_verdict(other)} and {_verdict(record)}"
            raise InputError(f"{path} and {part.path} disagree about {said}; run both parts again")
    return [record for _, record in by_id.values()]


def _content(record: Record) -> object:
    return record.model_dump(exclude={"seconds"})


def _verdict(record: Record) -> str:
    return record.verdict + (f" at {record.ratio:.4g}" if record.ratio is not None else "")
