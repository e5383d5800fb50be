"""The checks that the audit session runs are those that it declares."""

from __future__ import annotations

from mpcheck.sessions.audit import SESSION
from mpcheck.sessions.audit.work import AuditWork


def test_every_declared_check_is_run_in_its_order() -> None:
    assert tuple(inspection.name for inspection in AuditWork.inspections) == SESSION.checks
