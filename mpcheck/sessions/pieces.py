"""The work of a session in one process, piece by piece: what is planned, and each piece's records, whatever the judged code raises."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Protocol

from mpcheck._raised import Raised, attempt
from mpcheck.records.record import Part, Planned, Record
from mpcheck.sessions.run import Session


@dataclass(frozen=True)
class Piece:
    """One test.

    Attributes:
        planned: what it is about; its key is unique in the run.
        label: of the test. group: what shares something expensive is done in one process and one shard. key: the session's own.
        weight: what it takes beside other pieces, the same on every machine.
    """

    planned: Planned
    label: str
    group: str
    key: Any
    weight: float = 1.0


class Work(Protocol):
    """What a session's ``work`` makes of its options; bad input raises InputError, there and in its methods."""

    session: Session

    def pieces(self) -> Sequence[Piece]:
        """All that is to be done, in the order of the records. What the judged code raises while it is planned is a piece that says so."""

    def narrowed(self) -> Mapping[str, Sequence[str]]:
        """What the user left out, by kind."""

    def records(self, piece: Piece) -> list[Record]:
        """What a piece came to, whatever the judged code raises."""

    def failed(self, planned: Planned, reason: str) -> Record:
        """The red record of work that came to nothing."""

    def outlook(self) -> str:
        """What the planned work will take, in a line; nothing where it is not worth telling, or not known."""

    def notes(self) -> Sequence[str]:
        """Lines that a reader must see beside the records."""

    def write_beside(self, out: Path) -> None:
        """Files beside the records."""


class PlainWork:
    """What sessions have in common: nothing beside their records, and a record of what raised."""

    session: Session

    def failed(self, planned: Planned, reason: str) -> Record:
        """See :class:`Work`."""
        return Record(**planned.about, verdict="fail", reason=reason, key=planned.key)

    def narrowed(self) -> dict[str, list[str]]:
        """See :class:`Work`."""
        return {} if self.session.broken else self.session.narrowed()

    def attempted(self, planned: Planned, do: Callable[[], list[Record]]) -> list[Record]:
        """The records that ``do`` makes, or the one of what it raised, or of what was raised before it could begin."""
        before = self.session.broken.get(planned.key)
        records = before if before is not None else attempt(do)
        return [self.failed(planned, f"raised {records.text}")] if isinstance(records, Raised) else records

    def outlook(self) -> str:
        """See :class:`Work`; nothing here."""
        return ""

    def notes(self) -> Sequence[str]:
        """See :class:`Work`; nothing here. How structures were read stands with them in the records."""
        return ()

    def write_beside(self, out: Path) -> None:
        """See :class:`Work`."""


def numbered(planned: Planned, records: Sequence[Record]) -> list[Record]:
    """The records of one piece of work with its key, and which of them each is."""
    return [r.model_copy(update={"key": planned.key, "part": Part(number=i, of=len(records))}) for i, r in enumerate(records, 1)]
