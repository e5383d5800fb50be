"""Records as people are told of them: with their session, and with planned work that has none."""

from __future__ import annotations

from collections.abc import Collection, Iterator
from dataclasses import dataclass, field

from mpcheck.records.accounts import missing
from mpcheck.records.attribution import NO_RECORD, block_of, depth_of, names_of
from mpcheck.records.document import Records
from mpcheck.records.record import About, Record
from mpcheck.records.tensors import share
from mpcheck.records.verdicts import MISSING, red


@dataclass(frozen=True)
class Item:
    """One conclusion.

    Attributes:
        session: ``precision``, ``symmetry``, ``audit``, ``bench`` or ``profile``.
        system, batch: where the system is repeated in one graph, ``system`` says it too, ``builtin:water*4``, and ``batch`` how often.
        others: see :class:`mpcheck.records.record.Record`.
        depth: 0 where it is innermost, so that sorting puts culprits before what contains them.
        block: that it is about, or blames; empty where it names none.
        record: that it tells of; None of work without one.
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
    batch: int | None = None
    block: str = ""
    record: Record | None = field(default=None, compare=False, repr=False)

    @property
    def failed(self) -> bool:
        """Whether it turns its session red."""
        return red(self.verdict, self.tolerated)

    @property
    def share(self) -> float:
        """See :func:`mpcheck.records.tensors.share`."""
        return share(self.ratio, self.limit, self.failed)

    @property
    def structure(self) -> str:
        """The system without its batch."""
        return self.system if self.batch is None else self.system.removesuffix(f"*{self.batch}")

    @property
    def id(self) -> str:
        """``SESSION/CHECK:SYSTEM/SUBJECT-BACKEND-FORMAT-VARIANT``, empty parts left out: the same in every run of the same work."""
        about = About(check=self.check, subject=self.subject, backend=self.backend, format=self.format, system=self.system, variant=self.variant)
        return f"{self.session}/{about.name}"


def item_of(session: str, record: Record, names: Collection[str] = ()) -> Item:
    """A record with its session.

    Args:
        names: of the blocks that its document speaks of (:func:`mpcheck.records.attribution.names_of`), for its depth.
    """
    return Item(
        session=session, check=record.check, subject=record.subject, backend=record.backend, format=record.format, system=record.where,
        variant=record.variant, verdict=record.verdict, reason=record.reason, ratio=record.ratio, limit=record.limit, worst=record.worst,
        seconds=record.seconds, tolerated=record.tolerated, depth=depth_of(record, names), batch=record.batch, block=block_of(record, names),
        record=record,
    )  # fmt: skip


def lost_items(document: Records) -> Iterator[Item]:
    """Work that was planned and has no record."""
    reason = "planned, but without a record: it was not judged, or its record is gone"
    for planned in missing(document):
        about = planned.about | {"system": planned.where}
        yield Item(session=document.suite, verdict=MISSING, reason=reason, depth=NO_RECORD, **about)


def items_of(document: Records) -> Iterator[Item]:
    """Everything that a session concluded, in its own order, and then what it was to conclude and did not."""
    names = names_of(document.records)
    yield from (item_of(document.suite, record, names) for record in document.records)
    yield from lost_items(document)
