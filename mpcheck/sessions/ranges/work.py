"""The ranges session's work: a piece for each block of each system."""

from __future__ import annotations

from dataclasses import replace

from mpcheck.checks.ranges.inspection import INSPECTION
from mpcheck.sessions.inspections import InspectedWork
from mpcheck.sessions.options import Options
from mpcheck.sessions.pieces import Piece
from mpcheck.sessions.run import Session


class RangesWork(InspectedWork):
    """See :class:`mpcheck.sessions.pieces.Work`."""

    inspections = (INSPECTION,)

    def __init__(self, options: Options, session: Session | None = None) -> None:
        """Args:
            session: where it is made already.

        Raises:
            InputError: bad options.
        """
        self.chosen = list(self.inspections)
        self.session = Session(options) if session is None else session

    def pieces(self) -> list[Piece]:
        """See :class:`mpcheck.sessions.pieces.Work`; blocks of one system are seen in the same passes of the model."""
        return [replace(piece, group=f"{piece.planned.check}/{piece.planned.system}") for piece in super().pieces()]
