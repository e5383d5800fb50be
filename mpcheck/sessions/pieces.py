"""The work of a session in one process, as pytest does it: what is planned, and the records of each piece."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Protocol

from mpcheck.records.record import Planned
from mpcheck.sessions.run import Session
from mpcheck.sessions.work import Rows


@dataclass(frozen=True)
class Piece:
    """One test.

    Attributes:
        planned: what it is about; its key is unique in the run.
        label: of the test. group: what shares something expensive is done in one process and one shard. key: the session's own.
    """

    planned: Planned
    label: str
    group: str
    key: Any


class Work(Protocol):
    """What a session's ``work`` makes of its options; bad input raises InputError, there and in its methods."""

    session: Session

    def pieces(self) -> Sequence[Piece]:
        """All that is to be done, in the order of the records. What the judged code raises while it is planned is a piece that says so."""

    def narrowed(self) -> Mapping[str, Sequence[str]]:
        """What the user left out, by kind."""

    def records(self, piece: Piece) -> Rows:
        """What a piece came to, whatever the judged code raises."""

    def notes(self) -> Sequence[str]:
        """Lines that a reader must see beside the records."""

    def write_beside(self, out: Path) -> None:
        """Files beside the records."""


class PlainWork:
    """What most sessions have in common: nothing beside their records."""

    session: Session

    def notes(self) -> Sequence[str]:
        """None."""
        return ()

    def write_beside(self, out: Path) -> None:
        """Nothing."""
