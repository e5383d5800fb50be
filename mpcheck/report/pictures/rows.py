"""What the pictures are made of: records boiled down to one value a field, and a choice where there is more than a picture holds."""

from __future__ import annotations

import math
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field

from mpcheck._names import PRECISION
from mpcheck._text import counted
from mpcheck.records.document import Records
from mpcheck.records.items import item_of
from mpcheck.records.record import Record

Badness = tuple[bool, float]
"""Whether something failed, and its ratio in units of the limit; -1 where it has none. The worst is the largest."""
NOTHING: Badness = (False, -1.0)
MOST_BACKENDS, MOST_FORMATS = 6, 8
LEAST, MOST = 1e-12, 1e12  # of figures that can be drawn: a ratio of two has a logarithm


@dataclass
class Field:
    """Cells of one block, backend and format over systems and directions.

    Attributes:
        badness: of the worst cell that ran; where: which that is, in words.
        reason: why nothing ran.
    """

    ran: bool = False
    degraded: bool = False
    badness: Badness = NOTHING
    where: str = ""
    reason: str = ""

    def take(self, cell: Record) -> None:
        """Count a cell in."""
        if cell.verdict == "unsupported":
            self.reason = self.reason or cell.reason
            return
        item = item_of(PRECISION, cell)
        share = math.inf if any(q.rms is None for q in cell.quantities) else -1.0 if item.ratio is None else item.share
        if not self.ran or (item.failed, share) > self.badness:
            self.badness, self.where = (item.failed, share), f"{cell.system}, {cell.variant}: {item.worst or cell.reason}"
        self.ran, self.degraded = True, self.degraded or cell.verdict == "degraded"


@dataclass
class RatioGrid:
    """Fields by block, backend and format, and the worst of each of these, names in the order of the records, which is the model's."""

    fields: dict[tuple[str, str, str], Field] = field(default_factory=dict)
    blocks: dict[str, Badness] = field(default_factory=dict)
    backends: dict[str, Badness] = field(default_factory=dict)
    formats: dict[str, Badness] = field(default_factory=dict)


def grid(run: Records) -> RatioGrid:
    """The fields of a precision session."""
    table = RatioGrid()
    for cell in run.of(PRECISION):
        table.fields.setdefault((cell.subject, cell.backend, cell.format), Field()).take(cell)
    for key, one in table.fields.items():
        for worst, name in zip((table.blocks, table.backends, table.formats), key, strict=True):
            worst[name] = max(worst.get(name, NOTHING), one.badness)
    return table


def choose(names: Mapping[str, Badness], most: int) -> list[str]:
    """The worst ones where there are more than a picture holds, in their own order."""
    kept = set(sorted(names, key=lambda n: names[n], reverse=True)[:most])
    return [n for n in names if n in kept]


def chosen_words(drawn: Iterable[tuple[int, int, str]], order: str) -> str:
    """A sentence for a caption about what is left out; empty where nothing is.

    Args:
        drawn: how many, of how many, of what.
        order: which ones are drawn.
    """
    parts = [f"{kept:,} of {counted(total, noun)}" for kept, total, noun in drawn if kept < total]
    return f" Drawn are {' and '.join(parts)}, {order}; the records hold all." if parts else ""


def number(finding: Record, name: str) -> float | None:
    """A figure of a finding; None where it has none, or something else under that name."""
    value = finding.figures.get(name)
    return float(value) if isinstance(value, (int, float)) and not isinstance(value, bool) and math.isfinite(value) else None


def positive(finding: Record, name: str) -> float | None:
    """A figure of a finding that has a logarithm; None where it has none."""
    value = number(finding, name)
    return value if value is not None and LEAST < value < MOST else None
