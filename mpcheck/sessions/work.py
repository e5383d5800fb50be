"""A run's work, piece by piece: what is planned, and each piece's records, whatever the judged code raises."""

from __future__ import annotations

from collections.abc import Sequence

from mpcheck._raised import Raised, attempt
from mpcheck.bench.keys import BenchKey, fields_of
from mpcheck.checks.precision import CellKey
from mpcheck.formats import get_format
from mpcheck.judge.context import Key
from mpcheck.records.names import COVERAGE, GOLDEN, LATENCY, PRECISION
from mpcheck.records.record import Part, Planned, Record
from mpcheck.records.tensors import Quantity, Tensors
from mpcheck.sessions import inspections
from mpcheck.sessions.precision.suite import Suite
from mpcheck.sessions.run import Session

GONE = "gone"


def planned_cell(key: CellKey) -> Planned:
    """A cell of the precision session."""
    return Planned(key=key.id, **key.about)


def planned_golden(system: str) -> Planned:
    """Golden values of a system."""
    return Planned(key=f"{GOLDEN}/{system}", check=GOLDEN, backend="e3nn", format="float64", system=system)


def planned_inspection(key: Key) -> Planned:
    """A piece of a symmetry or audit check."""
    return Planned(key=key.id, check=key.check, subject=key.subject, backend=key.backend, format=key.format, system=key.system, variant=key.variant)


def planned_benchmark(key: BenchKey) -> Planned:
    """A benchmark."""
    return Planned(key=key.id, check=LATENCY, **fields_of(key))


PLANNED_GONE = Planned(key=GONE, check=COVERAGE, subject="benchmarks")
"""What is stored of benchmarks that the model no longer has."""


def judge_cell(suite: Suite, key: CellKey) -> list[Record]:
    """One cell's record."""
    before = suite.session.broken.get(key.id)
    cell = before if before is not None else attempt(lambda: suite.judge(key))
    if isinstance(cell, Raised):
        return [failed(planned_cell(key), f"raised {cell.text}")]
    return [cell]


def judge_golden(suite: Suite, system: str) -> list[Record]:
    """A system's golden values: a record a tensor."""
    rows = attempt(lambda: suite.judge_golden(system))
    if isinstance(rows, Raised):
        return [failed(planned_golden(system), f"raised {rows.text}")]
    return rows


def judge_inspection(name: inspections.SuiteName, session: Session, key: Key) -> list[Record]:
    """Findings of one piece of a check."""
    before = session.broken.get(key.id)
    found = before if before is not None else attempt(lambda: inspections.run(name, session, key))
    if isinstance(found, Raised):
        return [failed(planned_inspection(key), f"raised {found.text}")]
    return found


def failed(planned: Planned, reason: str) -> Record:
    """The red record of work that came to nothing."""
    about, detail = planned.about, None
    if planned.check == GOLDEN:
        about["subject"] = "model"
        detail = Tensors(quantities=[Quantity(name="model", rms=None, rms_limit=None, max=None, failures=[reason])])
    elif planned.check == PRECISION:
        detail = Tensors(block="leaf", accumulation=get_format(planned.format).accumulation)
    return Record(**about, verdict="fail", reason=reason, key=planned.key, detail=detail)


def numbered(planned: Planned, records: Sequence[Record]) -> list[Record]:
    """The records of one piece of work with its key, and which of them each is."""
    return [r.model_copy(update={"key": planned.key, "part": Part(number=i, of=len(records))}) for i, r in enumerate(records, 1)]
