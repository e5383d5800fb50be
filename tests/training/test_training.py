"""The training session: one test for each piece of its work. Run it with `nox -s training`, or with `pytest tests/training --mp-regime …`."""

from __future__ import annotations

from typing import Any

import pytest

pytestmark = [pytest.mark.mpcheck, pytest.mark.mpcheck_suite("training")]


def test_training(mp_piece: Any, mp_conclude: Any) -> None:
    mp_conclude()
