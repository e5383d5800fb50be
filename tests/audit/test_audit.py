"""The audit session: one test per piece of work. Run it with `nox -s audit` or `mpcheck audit`."""

from __future__ import annotations

from typing import Any

import pytest

from mpcheck import inspections
from mpcheck._text import terminal

pytestmark = [pytest.mark.mpcheck, pytest.mark.mpcheck_suite("audit")]


def test_audit(inspection_key: Any, mp_session: Any, mp_record: Any) -> None:
    findings = inspections.run("audit", mp_session, inspection_key)
    for finding in findings:
        mp_record("finding", finding.model_dump())
    failed = [f for f in findings if f.verdict == "fail"]
    if failed:
        told = [(f"{f.id}: {f.reason}", *([f"  worst: {f.worst}"] if f.worst else [])) for f in failed]
        pytest.fail("\n".join(terminal(line) for lines in told for line in lines), pytrace=False)
    if findings and all(f.verdict == "unsupported" for f in findings):
        pytest.skip(terminal(f"unsupported({findings[0].reason})"))
