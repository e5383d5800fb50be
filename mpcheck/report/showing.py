"""How a session's records are told: every place that shows records asks this, so that a new session is shown like the others."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Protocol

from mpcheck.records.document import Records
from mpcheck.records.items import Item
from mpcheck.sessions.options import resolve
from mpcheck.sessions.registry import get

if TYPE_CHECKING:
    from mpcheck.report.pictures.base import Picture


class Showing(Protocol):
    """What a session's ``shown`` names."""

    def terminal(self, document: Records, notes: Sequence[str], color: bool, whole: bool = False) -> str:
        """Its table, and what a reader needs to know beside it; notes are lines that the session says besides.

        Args:
            whole: every row of the table, where it is long.
        """

    def markdown(self, document: Records, notes: Sequence[str]) -> str:
        """The same, verdict first."""

    def note(self, document: Records, items: Sequence[Item]) -> str:
        """What it says in its own words in a report of several sessions; may be empty."""

    def pictures(self, directory: Path, document: Records) -> list[Path]:
        """Write what is drawn of its records into a directory.

        Raises:
            InputError: the place cannot be written.
        """


class Drawing(Protocol):
    """What a showing has besides where its session draws what no other has: pictures for the common report."""

    def drawn(self, document: Records) -> list[Picture]:
        """Of the records, with matplotlib's settings made."""


def showing(document: Records) -> Showing:
    """How records are told."""
    chosen: Showing = resolve(get(document.suite).shown)
    return chosen
