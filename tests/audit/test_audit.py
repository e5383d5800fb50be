"""The audit session: one test per piece of work. Run it with `nox -s audit` or `mpcheck audit`."""

from __future__ import annotations

from typing import Any

import pytest

from mpcheck.sessions import work

pytestmark = [pytest.mark.mpcheck, pytest.mark.mpcheck_suite("audit")]


def test_audit(inspection_key: Any, mp_session: Any, mp_conclude: Any) -> None:
    mp_conclude(work.inspection_rows("audit", mp_session, inspection_key))
