"""Its work: a piece for every block."""

from __future__ import annotations

from mpcheck.sessions.toy import ToyOptions  # type: ignore[import-not-found]  # where the tests put it

from mpcheck.records.record import Planned, Record
from mpcheck.sessions.pieces import Piece, PlainWork
from mpcheck.sessions.run import Session


class ToyWork(PlainWork):
    """Names of blocks on the first system."""

    def __init__(self, options: ToyOptions, session: Session | None = None) -> None:
        self.session = Session(options) if session is None else session
        self.letters = options.letters

    def pieces(self) -> list[Piece]:
        """A block each."""
        system = next(iter(self.session.systems))
        names = [block.name for block in self.session.blocks(system)]
        return [Piece(Planned(key=n, check="naming", subject=n, system=system), n, n, n) for n in names]

    def narrowed(self) -> dict[str, list[str]]:
        """Nothing that it knows of."""
        return {}

    def records(self, piece: Piece) -> list[Record]:
        """Its letters by those that are wanted."""

        def judge() -> list[Record]:
            count = len(str(piece.key))
            verdict = "pass" if count >= self.letters else "fail"
            return [
                Record(**piece.planned.about, verdict=verdict, reason="" if verdict == "pass" else "too short", ratio=self.letters / count, limit=1.0)
            ]

        return self.attempted(piece.planned, judge)
