"""The precision session's work: golden values, and every cell."""

from __future__ import annotations

from mpcheck._names import CAPTURED, EVERY_ROW, GOLDEN, PRECISION, REFERENCE_BACKEND, SMALL_TWIN, WHOLE
from mpcheck.adapters.blocks import WHOLE as THE_MODEL
from mpcheck.adapters.compiler import kept_at
from mpcheck.checks.captured import GRAPH, captured
from mpcheck.checks.precision import CellKey
from mpcheck.checks.small_twin import MODEL, backends_of, judge
from mpcheck.formats import FLOAT64, get_format
from mpcheck.judge.follows import follow
from mpcheck.records.record import Planned, Record
from mpcheck.records.tensors import Quantity, Tensors
from mpcheck.reference.cut import MOST_EDGES
from mpcheck.reference.store import default_cache
from mpcheck.sessions.outlook import Outlook, outlook, require_cache
from mpcheck.sessions.pieces import Piece, PlainWork
from mpcheck.sessions.precision import PrecisionOptions
from mpcheck.sessions.precision.every_row import every_row_records, sampled_systems
from mpcheck.sessions.precision.suite import Suite
from mpcheck.sessions.precision.whole import whole_records
from mpcheck.sessions.room import require_room
from mpcheck.sessions.run import Session

COMPILED = "compiled"
"""Below the cache, what torch has compiled: it lies there for the next run, as torch's own folder has it."""
NUMBERS = 130_000
"""Of a reference whose cells take twice as long as those of the smallest, the making of it included: of the built-in model on water 3 µs a number,
and 0.4 s for all of a block's cells."""
TWIN, GOLDEN_VALUES, WHOLE_MODEL, RECORDED = 100.0, 25.0, 50.0, 25.0
"""Cells' time that the small twin of a backend, the golden values of a system, the whole model in one format on one backend, and the graphs of
recorded calls take."""
EVERY_ROW_EDGES = 400.0
"""Edges of which every row of all blocks takes as long as a cell."""


class PrecisionWork(PlainWork):
    """Golden values of each system that has some, then cells, system by system and block by block."""

    def __init__(self, options: PrecisionOptions, session: Session | None = None) -> None:
        """Args:
            session: where it is made already.

        Raises:
            InputError: bad options, or a damaged baseline.
        """
        self.session = Session(options) if session is None else session
        self.suite = Suite(self.session, options.directory)
        self._outlook: Outlook | None = None

    def pieces(self) -> list[Piece]:
        """See :class:`mpcheck.sessions.pieces.Work`."""
        session = self.session
        require_room(session, blocks_alone=True)
        several = len(session.systems) > 1
        golden = [Piece(planned_golden(system), f"{GOLDEN}/{system}", system, system, GOLDEN_VALUES) for system in self.suite.golden_systems()]
        cells, wanted = [], dict[str, dict[str, float]]()
        for key in session.cells():
            weights = wanted.setdefault(key.system, {})
            if key.block not in weights:
                weights[key.block] = 1.0 if session.broken else 1.0 + session.library(key.system).numbers(key.block) / NUMBERS
            label = f"{key.block}-{key.backend}-{key.format}-{key.direction}"
            cells.append(
                Piece(planned_cell(key), f"{key.system}/{label}" if several else label, f"{key.system}/{key.block}", key, weights[key.block])
            )
        if not session.broken:
            self._outlook = outlook(session, {system: [*names] for system, names in wanted.items()}, session.formats)
            require_cache(session, self._outlook)
        twins = [Piece(planned_twin(name), f"{SMALL_TWIN}/{name}", f"{SMALL_TWIN}/{name}", name, TWIN) for name in self._twins()]
        recorded = [
            Piece(one, one.key, one.key, one.system, RECORDED) for one in map(planned_captured, session.systems) if session.systems[one.system].given
        ]
        return golden + recorded + cells + twins + self._every_row() + self._whole()

    def outlook(self) -> str:
        """See :class:`mpcheck.sessions.pieces.Work`."""
        return self._outlook.text if self._outlook is not None else ""

    def _whole(self) -> list[Piece]:
        """The whole model, of a run that is not narrowed to blocks: on the first system, and on those of which blocks see a part."""
        if self.session.options.blocks or self.session.broken:
            return []
        large = [system for system in self.session.systems if self.session.graph(system)["edge_index"].shape[1] > MOST_EDGES]
        first = next(iter(self.session.systems))
        planned = [planned_whole(system) for system in dict.fromkeys([first, *large])]
        weight = WHOLE_MODEL * len(self.session.formats) * len(self.session.backend_names)
        return [Piece(one, one.key, one.key, one.system, weight) for one in planned]

    def _every_row(self) -> list[Piece]:
        """Every row of the blocks of this run, on the systems on which they are judged in part."""
        systems = [] if self.session.broken else sampled_systems(self.session)
        planned = [planned_every_row(system) for system in systems]
        weights = [self.session.graph(system)["edge_index"].shape[1] / EVERY_ROW_EDGES for system in systems]
        return [Piece(one, one.key, one.key, one.system, weight) for one, weight in zip(planned, weights, strict=True)]

    def _twins(self) -> list[str]:
        """Backends that are looked at on the small model: those of a run that is not narrowed to blocks or to other formats."""
        options = self.session.options
        return [] if options.blocks or FLOAT64.name not in options.formats else backends_of(options.backends)

    def records(self, piece: Piece) -> list[Record]:
        """See :class:`mpcheck.sessions.pieces.Work`."""
        with kept_at((self.session.options.cache or default_cache()) / COMPILED):
            return self._records(piece)

    def _records(self, piece: Piece) -> list[Record]:
        key = piece.key
        if isinstance(key, CellKey):
            return self.attempted(piece.planned, lambda: [self.suite.judge(key)])
        if piece.planned.check == SMALL_TWIN:
            return self.attempted(piece.planned, lambda: follow(self.session, judge(self.session, key)))
        if piece.planned.check == CAPTURED:
            return self.attempted(piece.planned, lambda: follow(self.session, [captured(self.session, key)]))
        if piece.planned.check == WHOLE:
            return self.attempted(piece.planned, lambda: follow(self.session, whole_records(self.session, piece.planned)))
        if piece.planned.check == EVERY_ROW:
            return self.attempted(piece.planned, lambda: follow(self.session, every_row_records(self.session, piece.planned)))
        return self.attempted(piece.planned, lambda: self.suite.compare_golden(key))

    def failed(self, planned: Planned, reason: str) -> Record:
        """See :class:`mpcheck.sessions.pieces.Work`; with the tensors that such a record has."""
        record = super().failed(planned, reason)
        if planned.check == PRECISION:
            return record.model_copy(update={"detail": Tensors(block="leaf", accumulation=get_format(planned.format).accumulation)})
        if planned.check in (SMALL_TWIN, WHOLE, EVERY_ROW, CAPTURED):
            return record.model_copy(update={"subject": planned.subject})
        tensors = Tensors(quantities=[Quantity(name="model", rms=None, rms_limit=None, max=None, failures=[reason])])
        return record.model_copy(update={"subject": "model", "detail": tensors})


def planned_cell(key: CellKey) -> Planned:
    """A cell."""
    return Planned(key=key.id, **key.about)


def planned_twin(backend: str) -> Planned:
    """The small model on a backend."""
    return Planned(key=f"{SMALL_TWIN}/{backend}", check=SMALL_TWIN, subject=MODEL, backend=backend, format=FLOAT64.name)


def planned_whole(system: str) -> Planned:
    """The whole model on a system."""
    return Planned(key=f"{WHOLE}/{system}", check=WHOLE, subject=THE_MODEL.role, system=system)


def planned_captured(system: str) -> Planned:
    """The graphs of recorded calls."""
    return Planned(key=f"{CAPTURED}/{system}", check=CAPTURED, subject=GRAPH, backend=REFERENCE_BACKEND, format=FLOAT64.name, system=system)


def planned_every_row(system: str) -> Planned:
    """Every row of all blocks on a system."""
    return Planned(key=f"{EVERY_ROW}/{system}", check=EVERY_ROW, subject=THE_MODEL.role, system=system)


def planned_golden(system: str) -> Planned:
    """Golden values of a system."""
    return Planned(key=f"{GOLDEN}/{system}", check=GOLDEN, backend=REFERENCE_BACKEND, format=FLOAT64.name, system=system)
