"""The precision session: one test for each piece of its work. Run it with `nox -s precision`, or with `pytest tests/blocks --mp-model …`."""

from __future__ import annotations

from typing import Any

import pytest

pytestmark = [pytest.mark.mpcheck, pytest.mark.mpcheck_suite("precision")]


def test_cell(mp_piece: Any, mp_conclude: Any) -> None:
    mp_conclude()
