"""Whether records are whole: everything that was planned ended in its records, and nothing else did."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator

from mpcheck._text import listed
from mpcheck.records.finding import Findings
from mpcheck.records.record import Part, Planned, Run

Document = Run | Findings
TOLD = 3  # keys of a kind that are named


def parts(document: Document) -> Iterator[tuple[str, Part]]:
    """Of every record the key of the work that it belongs to, and which of that work's records it is."""
    if isinstance(document, Findings):
        yield from ((f.key or f.id, f.part) for f in document.findings)
        return
    yield from ((c.key or c.id, c.part) for c in document.cells)
    yield from ((row["key"], row["part"]) for row in document.golden)


def missing(document: Document) -> list[Planned]:
    """Planned work without a record, or with fewer than it had when it ended."""
    held: dict[str, set[int]] = {}
    wanted: dict[str, int] = {}
    for key, part in parts(document):
        held.setdefault(key, set()).add(part.number)
        wanted[key] = max(part.of, wanted.get(key, 1))
    return [p for p in document.plan if len(held.get(p.key, ())) < wanted.get(p.key, 1)]


def disorder(document: Document) -> list[str]:
    """Why records are not what one run wrote, a line each: state, missing, unplanned and double records."""
    found = []
    if document.state != "complete":
        how = {"running": "the run did not end: it was killed, or is still going on", "interrupted": "interrupted"}.get(document.state, "crashed")
        found.append(": ".join(filter(None, (how, document.why))))
    planned = Counter(p.key for p in document.plan)
    kept = Counter((key, part.number) for key, part in parts(document))
    kinds = {
        "planned, but without a record": [p.key for p in missing(document)],
        "in the records, but not planned": list(dict.fromkeys(key for key, _ in kept if key not in planned)),
        "planned twice": [key for key, n in planned.items() if n > 1],
        "recorded twice": list(dict.fromkeys(key for (key, _), n in kept.items() if n > 1)),
    }
    for what, keys in kinds.items():
        if keys:
            total = f" of {len(document.plan)}" if what.startswith("planned, but") else ""
            found.append(f"{len(keys)}{total} {what}: {listed(keys, TOLD)}")
    if not document.plan:
        found.append("no plan: nothing says what was to be judged")
    return found


def narrowing(document: Document) -> str:
    """What the user left out of a run, in a line; empty where it was all."""
    kinds = {kind: names for kind, names in document.narrowed.items() if names}
    told = [f"{len(names)} {kind} ({listed(names, TOLD)})" for kind, names in kinds.items()]
    return f"narrowed: left out {', '.join(told)}" if told else ""
