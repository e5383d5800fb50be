"""The precision session's work: golden values, and every cell."""

from __future__ import annotations

from pathlib import Path

from mpcheck.sessions import work
from mpcheck.sessions.pieces import Piece, PlainWork
from mpcheck.sessions.precision import PrecisionOptions
from mpcheck.sessions.precision.suite import Suite
from mpcheck.sessions.run import Session


class PrecisionWork(PlainWork):
    """Golden values of each system that has some, then cells, system by system and block by block."""

    def __init__(self, options: PrecisionOptions) -> None:
        """Raises:
        InputError: bad options, or a damaged baseline.
        """
        self.session = Session(options)
        self.suite = Suite(self.session, options.baselines or Path("baselines"))

    def pieces(self) -> list[Piece]:
        """See :class:`mpcheck.sessions.pieces.Work`."""
        session = self.session
        several = len(session.systems) > 1
        golden = [Piece(work.planned_golden(s), f"golden/{s}", s, s) for s in self.suite.golden_systems()]
        cells = []
        for key in session.cells():
            label = f"{key.block}-{key.backend}-{key.format}-{key.direction}"
            cells.append(Piece(work.planned_cell(key), f"{key.system}/{label}" if several else label, f"{key.system}/{key.block}", key))
        return golden + cells

    def narrowed(self) -> dict[str, list[str]]:
        """See :class:`mpcheck.sessions.pieces.Work`."""
        return {} if self.session.broken else self.session.narrowed()

    def records(self, piece: Piece) -> work.Rows:
        """See :class:`mpcheck.sessions.pieces.Work`."""
        return work.golden_rows(self.suite, piece.key) if isinstance(piece.key, str) else work.cell_rows(self.suite, piece.key)
