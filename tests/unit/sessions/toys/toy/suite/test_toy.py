"""One test a block."""

from __future__ import annotations

from typing import Any

import pytest

pytestmark = [pytest.mark.mpcheck, pytest.mark.mpcheck_suite("toy")]


def test_toy(mp_piece: Any, mp_conclude: Any) -> None:
    mp_conclude()
