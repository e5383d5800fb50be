"""The checks that the symmetry session runs are those that it declares."""

from __future__ import annotations

from mpcheck.sessions.symmetry import SESSION
from mpcheck.sessions.symmetry.work import SymmetryWork


def test_every_declared_check_is_run_in_its_order() -> None:
    assert tuple(inspection.name for inspection in SymmetryWork.inspections) == SESSION.checks
