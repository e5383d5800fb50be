"""The training-step session's work: a step for each system, backend and regime."""

from __future__ import annotations

from mpcheck._errors import InputError
from mpcheck.learning.step.inspection import INSPECTION
from mpcheck.learning.step.names import REGIMES
from mpcheck.sessions.inspections import InspectedWork
from mpcheck.sessions.pieces import Piece
from mpcheck.sessions.run import Session
from mpcheck.sessions.training_step import TrainingStepOptions


class TrainingStepWork(InspectedWork):
    """See :class:`mpcheck.sessions.pieces.Work`."""

    inspections = (INSPECTION,)

    def __init__(self, options: TrainingStepOptions, session: Session | None = None) -> None:
        """Args:
            session: where it is made already.

        Raises:
            InputError: bad options.
        """
        super().__init__(options, session)
        self.regimes = options.regimes or REGIMES
        if not options.systems and session is None:
            chosen = min(self.session.systems, key=self._size)
            self.session.systems = {chosen: self.session.systems[chosen]}

    def _size(self, system: str) -> tuple[bool, int]:
        """Crystals first, whose stress is trained as well; of these the one with the fewest edges."""
        crystals = all(bool(frame.pbc.all()) for frame in self.session.systems[system].frames)
        return not crystals, int(self.session.graph(system)["edge_index"].shape[1])

    def pieces(self) -> list[Piece]:
        """See :class:`mpcheck.sessions.pieces.Work`.

        Raises:
            InputError: no regime of those that were named has a format of those.
        """
        chosen = [piece for piece in super().pieces() if piece.planned.variant in ("", *self.regimes)]
        if not chosen:
            raise InputError(
                f"--regime {', '.join(self.regimes)} has none of the formats {', '.join(self.session.options.formats)}; "
                "plain has float64, float32 and tf32, the others bfloat16 and float16"
            )
        return chosen

    def narrowed(self) -> dict[str, list[str]]:
        """See :class:`mpcheck.sessions.pieces.Work`."""
        left = [name for name in REGIMES if name not in self.regimes]
        return super().narrowed() | ({"regimes": left} if left else {})
