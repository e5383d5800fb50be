"""Today's float64 values of the built-in model against the committed ones."""

from __future__ import annotations

from typing import Any

import pytest

from mpcheck.sessions import work

pytestmark = pytest.mark.mpcheck


def test_golden_float64(golden_system: str, mp_suite: Any, mp_conclude: Any) -> None:
    mp_conclude(work.golden_rows(mp_suite, golden_system))
