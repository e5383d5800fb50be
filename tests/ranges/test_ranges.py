"""The ranges session: one test for each piece of its work. Run it with `nox -s ranges`, or with `pytest tests/ranges --mp-model …`."""

from __future__ import annotations

from typing import Any

import pytest

pytestmark = [pytest.mark.mpcheck, pytest.mark.mpcheck_suite("ranges")]


def test_ranges(mp_piece: Any, mp_conclude: Any) -> None:
    mp_conclude()
