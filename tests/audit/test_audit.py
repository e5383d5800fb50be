"""The audit session: one test for each piece of its work. Run it with `nox -s audit`, or with `pytest tests/audit --mp-model …`."""

from __future__ import annotations

from typing import Any

import pytest

pytestmark = [pytest.mark.mpcheck, pytest.mark.mpcheck_suite("audit")]


def test_audit(mp_piece: Any, mp_conclude: Any) -> None:
    mp_conclude()
