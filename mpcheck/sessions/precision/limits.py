"""A cell as its limits judge it, which needs no baseline."""

from __future__ import annotations

from mpcheck._torch_state import neutral
from mpcheck.checks.precision import CellKey
from mpcheck.formats import get_format
from mpcheck.judge.follows import follow_cell
from mpcheck.records.record import Record
from mpcheck.sessions.run import Session


@neutral()
def judge_by_limits(session: Session, key: CellKey) -> Record:
    """Replay a cell, compare it with its reference, and say what follows: known faults of upstream, capabilities that are required."""
    cell = session.check(key.system).replayed(key, get_format(key.format))
    return follow_cell(session, cell)
