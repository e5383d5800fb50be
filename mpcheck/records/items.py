"""One uniform row for whatever a session concluded: a cell, a golden value, a finding."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from mpcheck._text import number
from mpcheck.formats import FLOAT64
from mpcheck.records.accounts import missing
from mpcheck.records.finding import Finding, Findings
from mpcheck.records.names import REFERENCE_BACKEND
from mpcheck.records.outcome import red
from mpcheck.records.record import Cell, Planned, Quantity, Run

GOLDEN = "golden"
MISSING = "missing"
"""Verdict of work without a record."""
INNERMOST = {"leaf": 0, "step": 0, "composite": 1}
"""Order of kinds of block in which red ones are told: a composite is red when a leaf in it is."""


@dataclass(frozen=True)
class Item:
    """One conclusion.

    Attributes:
        session: ``precision``, ``symmetry``, ``audit``, ``bench`` or ``profile``.
        check: of the session; ``precision`` for a cell, ``golden`` for a golden value.
        subject: the block, ``model``, or what a check names.
        variant: the direction of a cell, else what the check did.
        ratio: the largest rounding ratio of a cell's tensors, or a finding's ratio; limit: what is allowed of that tensor.
        worst: where, in words.
        tolerated: the setting that lets it be degraded; empty where none does.
        depth: 0 where it is innermost, so that sorting puts culprits before what contains them.
        tolerated: the option that lets a degraded one be.
    """

    session: str
    check: str
    subject: str
    backend: str
    format: str
    system: str
    variant: str
    verdict: str
    reason: str = ""
    ratio: float | None = None
    limit: float | None = None
    worst: str = ""
    seconds: float = 0.0
    tolerated: str = ""
    depth: int = 0

    @property
    def failed(self) -> bool:
        """Whether it turns its session red."""
        return red(self.verdict, self.tolerated)

    @property
    def share(self) -> float:
        """The ratio in units of its own limit: 1 is what is allowed. Infinite where a failure has no finite ratio, else 0."""
        if self.ratio is None:
            return float("inf") if self.failed else 0.0
        return self.ratio / self.limit if self.limit else self.ratio

    @property
    def id(self) -> str:
        """``SESSION/CHECK:SYSTEM/SUBJECT-BACKEND-FORMAT-VARIANT``, empty parts left out: the same in every run of the same work."""
        where = "/".join(filter(None, (self.system, self.subject)))
        return f"{self.session}/{self.check}:" + "-".join(filter(None, (where, self.backend, self.format, self.variant)))


def first_changed(rows: Iterable[Mapping[str, Any]]) -> str:
    """The block whose golden output changed first, in the order in which the model computes them; empty where no output did."""
    changed = (name.partition(":")[0] for name in (str(row["name"]) for row in rows if row["failure"]) if ":out" in name)
    return next(changed, "")


def decisive(quantities: Sequence[Quantity]) -> Quantity | None:
    """The tensor that a reader must see first: one that fails, then the one with the largest share of its limit."""

    def share(q: Quantity) -> float:
        return float("inf") if q.rms is None else q.rms / (q.rms_limit or 1.0)

    return max(quantities, key=lambda q: (bool(q.failures), share(q)), default=None)


def item_of_cell(cell: Cell) -> Item:
    """A cell of the precision session."""
    told = decisive(cell.quantities)
    worst = ""
    if told is not None and told.worst is not None:
        w = told.worst
        value, expected, allowed = (number(x, 4, "not finite") for x in (w.value, w.expected, w.allowed))
        worst = f"{told.name} at {w.place}: {value} instead of {expected}, allowed error {allowed}"
    return Item(
        session="precision", check="precision", subject=cell.block, backend=cell.backend, format=cell.format, system=cell.system,
        variant=cell.direction, verdict=cell.verdict, reason=cell.reason, ratio=told.rms if told is not None else None,
        limit=told.rms_limit if told is not None else None, worst=worst, seconds=cell.seconds, depth=INNERMOST.get(cell.kind, 2),
        tolerated=cell.tolerated,
    )  # fmt: skip


def item_of_golden(row: Mapping[str, Any]) -> Item:
    """A tensor compared with its committed float64 values."""
    block, _, tensor = str(row["name"]).partition(":")
    failure = str(row["failure"])
    return Item(
        session="precision", check=GOLDEN, subject=block, backend=REFERENCE_BACKEND, format=FLOAT64.name, system=str(row["system"]), variant=tensor,
        verdict="fail" if failure else "pass", reason=failure, ratio=row.get("rms"), limit=row.get("limit"),
    )  # fmt: skip


def item_of_finding(session: str, finding: Finding) -> Item:
    """A finding of any other session."""
    return Item(
        session=session, check=finding.check, subject=finding.subject, backend=finding.backend, format=finding.format, system=finding.system,
        variant=finding.variant, verdict=finding.verdict, reason=finding.reason, ratio=finding.ratio, limit=finding.limit,
        worst=finding.worst, seconds=finding.seconds, depth=0 if "." in finding.subject else 1, tolerated=finding.tolerated,
    )  # fmt: skip


def item_of_planned(session: str, planned: Planned) -> Item:
    """Work that was planned and has no record."""
    return Item(
        session=session, check=planned.check, subject=planned.subject, backend=planned.backend, format=planned.format, system=planned.system,
        variant=planned.variant, verdict=MISSING, reason="planned, but without a record: it was not judged, or its record is gone", depth=2,
    )  # fmt: skip


def items_of(document: Run | Findings) -> Iterator[Item]:
    """Everything that a session concluded, in its own order, and then what it was to conclude and did not."""
    yield from recorded_items(document)
    yield from (item_of_planned(document.suite, planned) for planned in missing(document))


def recorded_items(document: Run | Findings) -> Iterator[Item]:
    """Everything that a session concluded, one item a record."""
    if isinstance(document, Findings):
        yield from (item_of_finding(document.suite, f) for f in document.findings)
        return
    yield from (item_of_cell(c) for c in document.cells)
    yield from (item_of_golden(row) for row in document.golden)
