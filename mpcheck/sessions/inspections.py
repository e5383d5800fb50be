"""The work of sessions that run several checks, each of which lists its own."""

from __future__ import annotations

from collections.abc import Sequence
from typing import ClassVar

from mpcheck._names import REFERENCE_BACKEND
from mpcheck._raised import Raised, attempt_unless_refused, blamed
from mpcheck._torch_state import neutral
from mpcheck.adapters.blocks import names_by_id
from mpcheck.formats import FLOAT64
from mpcheck.judge.context import Context, Inspection, Key
from mpcheck.judge.follows import follow
from mpcheck.records.record import Planned, Record
from mpcheck.sessions.options import InspectedOptions
from mpcheck.sessions.pieces import Piece, PlainWork
from mpcheck.sessions.registry import session_of_check
from mpcheck.sessions.room import require_room
from mpcheck.sessions.run import Session
from mpcheck.sessions.typed import known_names


class InspectedWork(PlainWork):
    """A piece for every key of every check.

    Attributes:
        inspections: the session's checks, in the order in which they run.
    """

    inspections: ClassVar[tuple[Inspection, ...]] = ()

    def __init__(self, options: InspectedOptions, session: Session | None = None) -> None:
        """Args:
            session: where it is made already.

        Raises:
            InputError: bad options; a name that is no check of the session.
        """
        self.chosen = chosen(self.inspections, options.checks)
        self.session = Session(options) if session is None else session

    def pieces(self) -> list[Piece]:
        """See :class:`mpcheck.sessions.pieces.Work`."""
        if not self.session.options.blocks:
            require_room(self.session)
        keys = planned(self.chosen, self.session)
        return [Piece(planned_piece(k), k.id, f"{k.check}/{k.system}/{k.subject.partition('.')[0]}", k) for k in keys]

    def narrowed(self) -> dict[str, list[str]]:
        """See :class:`mpcheck.sessions.pieces.Work`."""
        checks = [inspection.name for inspection in self.inspections if inspection not in self.chosen]
        return super().narrowed() | ({"checks": checks} if checks else {})

    def records(self, piece: Piece) -> list[Record]:
        """See :class:`mpcheck.sessions.pieces.Work`."""
        return self.attempted(piece.planned, lambda: inspect(self.inspections, self.session, piece.key))


def planned_piece(key: Key) -> Planned:
    """A piece of a check's work."""
    return Planned(key=key.id, check=key.check, subject=key.subject, backend=key.backend, format=key.format, system=key.system, variant=key.variant)


def chosen(inspections: Sequence[Inspection], only: Sequence[str] = ()) -> list[Inspection]:
    """Those that are named; all where none is.

    Raises:
        InputError: a name that none of them has.
    """
    names = [inspection.name for inspection in inspections]
    spec = session_of_check(names[0])
    known_names("check", only, names, f" of the {spec.name if spec else 'present'} session")
    return [inspection for inspection in inspections if not only or inspection.name in only]


@neutral()
def planned(inspections: Sequence[Inspection], context: Context) -> list[Key]:
    """All the work of some checks."""
    return [key for inspection in inspections for key in _planned(inspection, context)]


@neutral()
def inspect(inspections: Sequence[Inspection], context: Context, key: Key) -> list[Record]:
    """What a check finds in one piece of its work."""
    inspection = next(i for i in inspections if i.name == key.check)
    return follow(context, inspection.run(context, key))


def _planned(inspection: Inspection, context: Context) -> list[Key]:
    """A check's work; where the judged code raises while it is planned, one piece that says so.

    Raises:
        InputError: bad input.
    """
    keys = attempt_unless_refused(lambda: inspection.keys(context))
    if not isinstance(keys, Raised):
        return keys
    block = blamed(keys.error, names_by_id(context.reference_backend.model)) or "model"
    key = Key(inspection.name, block, REFERENCE_BACKEND, FLOAT64.name)
    context.broken[key.id] = keys
    return [key]
