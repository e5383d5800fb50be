"""Rows and lines that records of ranges are told in."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass

from mpcheck._text import counted, listed, number
from mpcheck.records.document import Records
from mpcheck.records.range_figures import Ranges, TensorRange
from mpcheck.records.record import Record

HEAD = ("block", "largest", "of", "smallest", "binades")
LEAST = 0.001  # share below a format's normal range from which on it is told
MOST_NAMED = 3
MODEL = "model"


@dataclass(frozen=True)
class Told:
    """A block in one direction on one system: its records by format."""

    system: str
    subject: str
    variant: str
    records: dict[str, Record]

    @property
    def detail(self) -> Ranges | None:
        """Of the first format; magnitudes and layout are the same in all."""
        return next((r.detail for r in self.records.values() if isinstance(r.detail, Ranges)), None)


def told(document: Records) -> list[Told]:
    """All that there are, in their order."""
    found: dict[tuple[str, str, str], dict[str, Record]] = {}
    for record in document.records:
        found.setdefault((record.system, record.subject, record.variant), {})[record.format] = record
    return [Told(*names, records) for names, records in found.items()]


def formats(document: Records) -> list[str]:
    """Of the narrowest range first, else in their order."""
    ends = {r.format: r.detail.end for r in document.records if isinstance(r.detail, Ranges)}
    return sorted(dict.fromkeys(r.format for r in document.records if r.format), key=lambda name: ends.get(name) or math.inf)


def tables(document: Records, whole: bool = False) -> Iterator[tuple[str, list[str], list[list[str]]]]:
    """Title, head and rows of every system and direction.

    Args:
        whole: composites as well, whose numbers are those of the blocks in them.
    """
    every, names = told(document), formats(document)
    for system, variant in dict.fromkeys((one.system, one.variant) for one in every if one.detail is not None):
        own = [one for one in every if (one.system, one.variant) == (system, variant) and one.detail is not None]
        rows = [_row(one, names) for one in own if whole or one.subject == MODEL or (one.detail and one.detail.block != "composite")]
        yield f"{system}, {variant}: headroom in factors of two, share below the normal range", [*HEAD, *names], rows


def _row(one: Told, names: Sequence[str]) -> list[str]:
    assert one.detail is not None
    first = max(one.detail.ranges, key=lambda t: (t.largest or 0.0, t.kind != "way"))
    least = min((t.smallest for t in one.detail.ranges if t.smallest), default=None)
    widest = max((t.binades or 0.0 for t in one.detail.ranges), default=0.0)
    return [one.subject, number(first.largest), first.name, number(least, 2), f"{widest:.0f}", *(_entry(one.records.get(name)) for name in names)]


def _entry(record: Record | None) -> str:
    if record is None or not isinstance(record.detail, Ranges):
        return ""
    rooms = [t.headroom for t in record.detail.ranges if t.headroom is not None]
    if not rooms:
        return "0"
    below = max(_below(t) for t in record.detail.ranges)
    percent = f"{100 * below:.0f}" if below >= 0.1 else f"{100 * below:.2g}"
    return f"{min(rooms):+.0f}" + (f" {percent} %" if below >= LEAST else "")


def _below(tensor: TensorRange) -> float:
    return (tensor.subnormal or 0.0) + (tensor.flushed or 0.0)


def ends(document: Records) -> list[str]:
    """On which system which format ends, and where it would on a larger one: of each the first, and how many there are."""
    lines = []
    for system, fmt in dict.fromkeys((r.system, r.format) for r in document.records if r.format):
        own = [r for r in document.records if (r.system, r.format) == (system, fmt) and isinstance(r.detail, Ranges)]
        beyond = [r for r in own if r.verdict == "unsupported"]
        if beyond:
            worst = max(beyond, key=lambda r: max((t.largest or 0.0 for t in r.detail.ranges), default=0.0) if isinstance(r.detail, Ranges) else 0.0)
            lines.append(f"{system}: {fmt} does not hold {counted(len(beyond), 'block')}: {worst.subject}, {worst.reason.removeprefix('range: ')}")
        for words, rank in RANKS:
            near = sorted(((rank(r.detail), text) for r in own if isinstance(r.detail, Ranges) and (text := _note(r, words))), key=lambda n: n[0])
            if near:
                rest = f"; and {counted(len(near) - 1, 'other')}" if len(near) > 1 else ""
                lines.append(f"{system}: {near[0][1]}{rest}")
    return lines


def _end(by: str) -> Callable[[Ranges], float]:
    return lambda detail: min((r.end for t in detail.ranges for r in t.reach if r.by == by and r.end is not None), default=math.inf)


RANKS: Sequence[tuple[str, Callable[[Ranges], float]]] = (
    (" atoms", _end("atoms")), (" neighbours", _end("neighbours")), (" normal range", lambda detail: -max(map(_below, detail.ranges))),
)  # fmt: skip
"""Words of a note, and what comes first of those that have them."""


def _note(record: Record, words: str) -> str:
    """The part of its note with these words."""
    found = next((part for part in record.note.split("; ") if words in part), "")
    return f"{record.subject} {found}" if found else ""


def layouts(document: Records) -> list[str]:
    """Tensors that do not lie one number after another, or share their memory, by kind; the first of each are named."""
    odd: dict[str, dict[str, None]] = {"expanded": {}, "not contiguous": {}, "in memory of another": {}}
    for one in told(document):
        for tensor in one.detail.ranges if one.detail is not None else ():
            if tensor.layout is None or tensor.layout.plain:
                continue
            name = f"{one.subject}:{tensor.name}"
            kind = "expanded" if tensor.layout.expanded else "not contiguous" if not tensor.layout.contiguous else "in memory of another"
            odd[kind].setdefault(name)
    return [f"{counted(len(names), 'tensor')} {kind}: {listed([*names], MOST_NAMED)}" for kind, names in odd.items() if names]


def without_range(records: Iterable[Record]) -> list[str]:
    """Why blocks have no range at all: reasons, each once."""
    return list(dict.fromkeys(f"unsupported: {r.subject}: {r.reason}" for r in records if r.verdict == "unsupported" and r.detail is None))[
        :MOST_NAMED
    ]
