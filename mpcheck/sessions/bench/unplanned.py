"""A bench session whose model raised before anybody knew its benchmarks: one benchmark, which says so."""

from __future__ import annotations

from mpcheck._raised import Raised, blamed, outermost
from mpcheck.adapters.blocks import names_by_id
from mpcheck.bench.decide.outcomes import LATENCY
from mpcheck.bench.keys import MODEL, BenchKey, fields_of
from mpcheck.records.finding import Finding
from mpcheck.records.names import COVERAGE, REFERENCE_BACKEND
from mpcheck.sessions.bench import BenchOptions
from mpcheck.sessions.bench.options import narrowed
from mpcheck.sessions.run import Session


class UnplannedRun:
    """Takes the place of :class:`mpcheck.sessions.bench.run.BenchRun`."""

    def __init__(self, options: BenchOptions, error: Raised) -> None:
        self.session = Session(narrowed(options))
        called = outermost(error.error)  # a copy of the model, which is what is observed
        names = names_by_id(called) if called is not None else {}
        system = next(iter(self.session.systems), "")
        fmt = self.session.formats[0].name
        self.every = [BenchKey(system, 1, blamed(error.error, names) or MODEL, REFERENCE_BACKEND, fmt, "forward")]
        self.keys, self.notes = self.every, list[str]()
        reason = f"raised {error.text}"
        self.findings = {
            self.every[0].id: [Finding(check=LATENCY, **fields_of(self.every[0]), verdict="fail", reason=reason)],
            "": [Finding(check=COVERAGE, subject="benchmarks", verdict="no-baseline", reason="no benchmark could be planned")],
        }

    def left_out(self) -> dict[str, list[str]]:
        """Nobody knows."""
        return {}

    def seconds(self, key: BenchKey) -> list[float]:
        """Nothing was timed."""
        return []

    def document(self) -> None:
        """Nothing was measured that could be stored."""
