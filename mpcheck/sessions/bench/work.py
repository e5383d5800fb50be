"""The bench session's work: a piece for every benchmark, and one for those that are gone."""

from __future__ import annotations

from pathlib import Path

from mpcheck._names import COVERAGE, LATENCY
from mpcheck._raised import Raised, attempt_unless_refused
from mpcheck.bench.keys import BenchKey, fields_of
from mpcheck.history.latency.baseline import write_baseline
from mpcheck.records.record import Planned, Record
from mpcheck.report.pictures.ranges import Sample
from mpcheck.report.pictures.sessions import write_bench_picture
from mpcheck.sessions.bench import BenchOptions
from mpcheck.sessions.bench.run import BenchRun
from mpcheck.sessions.bench.unplanned import UnplannedRun
from mpcheck.sessions.pieces import Piece, PlainWork


class BenchWork(PlainWork):
    """Everything is measured when the first piece's records are asked for."""

    def __init__(self, options: BenchOptions) -> None:
        """Raises:
        InputError: bad options, or a damaged baseline.
        """
        made = attempt_unless_refused(lambda: BenchRun(options))
        self.run: BenchRun | UnplannedRun = UnplannedRun(options, made) if isinstance(made, Raised) else made
        self.session = self.run.session

    def pieces(self) -> list[Piece]:
        """See :class:`mpcheck.sessions.pieces.Work`."""
        every = [Piece(planned_benchmark(key), key.id, key.id, key) for key in self.run.every]
        return [*every, Piece(PLANNED_GONE, PLANNED_GONE.key, PLANNED_GONE.key, None)]

    def narrowed(self) -> dict[str, list[str]]:
        """See :class:`mpcheck.sessions.pieces.Work`."""
        return self.run.left_out()

    def records(self, piece: Piece) -> list[Record]:
        """See :class:`mpcheck.sessions.pieces.Work`; measures everything at the first call."""
        return self.run.findings["" if piece.key is None else piece.key.id]

    def rounds(self, piece: Piece) -> list[float]:
        """Seconds of one call, in every round; none of a piece that times nothing."""
        return self.run.seconds(piece.key) if isinstance(piece.key, BenchKey) else []

    def notes(self) -> list[str]:
        """See :class:`mpcheck.sessions.pieces.Work`."""
        return [*super().notes(), *(self.run.notes if self._measured else [])]

    @property
    def _measured(self) -> bool:
        return "findings" in vars(self.run) and bool(self.run.keys)

    def write_beside(self, out: Path) -> None:
        """The figures that ``mpcheck baseline update`` stores, and the picture of the latencies."""
        if not self._measured:
            return
        document = self.run.document()
        if document is not None:
            write_baseline(out / "bench-figures.json", document)
        samples = (Sample(f"{k.system}*{k.batch}", k.subject, k.work, f"{k.backend} {k.format}", self.run.seconds(k)) for k in self.run.keys)
        write_bench_picture(out / "bench.svg", self.session.model.name, samples)


PLANNED_GONE = Planned(key="gone", check=COVERAGE, subject="benchmarks")
"""What is stored of benchmarks that the model no longer has."""


def planned_benchmark(key: BenchKey) -> Planned:
    """A benchmark."""
    return Planned(key=key.id, check=LATENCY, **fields_of(key))
