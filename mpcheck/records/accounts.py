"""Whether records are whole: everything that was planned ended in its records, and nothing else did."""

from __future__ import annotations

from collections import Counter

from mpcheck._text import listed
from mpcheck.records.document import Records
from mpcheck.records.record import Planned

TOLD = 3  # keys of a kind that are named


def missing(document: Records) -> list[Planned]:
    """Planned work without a record, or with fewer than it had when it ended."""
    held: dict[str, set[int]] = {}
    wanted: dict[str, int] = {}
    for record in document.records:
        key = record.key or record.id
        held.setdefault(key, set()).add(record.part.number)
        wanted[key] = max(record.part.of, wanted.get(key, 1))
    return [p for p in document.plan if len(held.get(p.key, ())) < wanted.get(p.key, 1)]


def disorder(document: Records) -> list[str]:
    """Why records are not what one run wrote, a line each: state, missing, unplanned and double records."""
    lines = []
    if document.state != "complete":
        how = {"running": "the run did not end: it was killed, or is still going on", "interrupted": "interrupted"}.get(document.state, "crashed")
        lines.append(": ".join(filter(None, (how, document.why))))
    planned = Counter(p.key for p in document.plan)
    kept = Counter((record.key or record.id, record.part.number) for record in document.records)
    kinds = {
        "planned, but without a record": [p.key for p in missing(document)],
        "in the records, but not planned": list(dict.fromkeys(key for key, _ in kept if key not in planned)),
        "planned twice": [key for key, n in planned.items() if n > 1],
        "recorded twice": list(dict.fromkeys(key for (key, _), n in kept.items() if n > 1)),
    }
    for what, keys in kinds.items():
        if keys:
            total = f" of {len(document.plan)}" if what.startswith("planned, but") else ""
            lines.append(f"{len(keys)}{total} {what}: {listed(keys, TOLD)}")
    if not document.plan:
        lines.append("no plan: nothing says what was to be judged")
    return lines


def narrowing(document: Records) -> str:
    """What the user left out of a run, in a line; empty where it was all."""
    kinds = {kind: names for kind, names in document.narrowed.items() if names}
    told = [f"{len(names)} {kind} ({listed(names, TOLD)})" for kind, names in kinds.items()]
    return f"narrowed: left out {', '.join(told)}" if told else ""
