"""A run's work, piece by piece: what is planned, and each piece's records, whatever the judged code raises."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

from mpcheck._raised import Raised, attempt
from mpcheck.bench.decide.outcomes import LATENCY
from mpcheck.bench.keys import BenchKey, fields_of
from mpcheck.checks.precision import CellKey
from mpcheck.formats import FLOAT64, get_format
from mpcheck.judge.context import Key
from mpcheck.records.finding import Finding
from mpcheck.records.names import COVERAGE, GOLDEN, PRECISION, REFERENCE_BACKEND
from mpcheck.records.record import Cell, Part, Planned
from mpcheck.sessions.precision.suite import Suite
from mpcheck.sessions.run import Session

GONE = "gone"
Rows = list[tuple[str, dict[str, Any]]]
"""Kind of record (``cell``, ``golden``, ``finding``) and the record as data."""


def planned_cell(key: CellKey) -> Planned:
    """A cell of the precision session."""
    return Planned(key=key.id, check=PRECISION, subject=key.block, backend=key.backend, format=key.format, system=key.system, variant=key.direction)


def planned_golden(system: str) -> Planned:
    """Golden values of a system."""
    return Planned(key=f"{GOLDEN}/{system}", check=GOLDEN, backend=REFERENCE_BACKEND, format=FLOAT64.name, system=system)


def planned_inspection(key: Key) -> Planned:
    """A piece of a symmetry or audit check."""
    return Planned(key=key.id, check=key.check, subject=key.subject, backend=key.backend, format=key.format, system=key.system, variant=key.variant)


def planned_benchmark(key: BenchKey) -> Planned:
    """A benchmark."""
    return Planned(key=key.id, check=LATENCY, **fields_of(key))


PLANNED_GONE = Planned(key=GONE, check=COVERAGE, subject="benchmarks")
"""What is stored of benchmarks that the model no longer has."""


def cell_rows(suite: Suite, key: CellKey) -> Rows:
    """One cell's record."""
    before = suite.session.broken.get(key.id)
    cell = before if before is not None else attempt(lambda: suite.judge(key))
    if isinstance(cell, Raised):
        return [failed(planned_cell(key), f"raised {cell.text}")]
    return [("cell", cell.model_dump())]


def golden_rows(suite: Suite, system: str) -> Rows:
    """A system's golden values: a record a tensor."""
    rows = attempt(lambda: suite.compare_golden(system))
    if isinstance(rows, Raised):
        return [failed(planned_golden(system), f"raised {rows.text}")]
    return [("golden", row) for row in rows]


def inspection_rows(session: Session, key: Key, inspect: Callable[[Key], Sequence[Finding]]) -> Rows:
    """Findings of one piece of a check."""
    before = session.broken.get(key.id)
    found = before if before is not None else attempt(lambda: inspect(key))
    if isinstance(found, Raised):
        return [failed(planned_inspection(key), f"raised {found.text}")]
    return [("finding", finding.model_dump()) for finding in found]


def failed(planned: Planned, reason: str) -> tuple[str, dict[str, Any]]:
    """The red record of work that came to nothing."""
    if planned.check not in (PRECISION, GOLDEN):
        fields = {n: getattr(planned, n) for n in ("check", "subject", "backend", "format", "system", "variant")}
        return "finding", Finding(**fields, verdict="fail", reason=reason, key=planned.key).model_dump()
    if planned.check == GOLDEN:
        part = Part(number=1, of=1).model_dump()
        return "golden", {
            "system": planned.system, "name": "model", "rms": None, "max": None, "limit": None, "failure": reason, "key": planned.key, "part": part
        }  # fmt: skip
    cell = Cell(
        block=planned.subject, role="", kind="leaf", backend=planned.backend, format=planned.format,
        accumulation=get_format(planned.format).accumulation, direction=planned.variant, system=planned.system, verdict="fail", reason=reason,
        key=planned.key,
    )  # fmt: skip
    return "cell", cell.model_dump()


def numbered(planned: Planned, rows: Rows) -> Rows:
    """The records of one piece of work with its key, and which of them each is."""
    return [(kind, data | {"key": planned.key, "part": Part(number=i, of=len(rows)).model_dump()}) for i, (kind, data) in enumerate(rows, 1)]
