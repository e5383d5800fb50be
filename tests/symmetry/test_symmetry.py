"""The symmetry session: one test for each piece of its work. Run it with `nox -s symmetry`, or with `pytest tests/symmetry --mp-model …`."""

from __future__ import annotations

from typing import Any

import pytest

pytestmark = [pytest.mark.mpcheck, pytest.mark.mpcheck_suite("symmetry")]


def test_symmetry(mp_piece: Any, mp_conclude: Any) -> None:
    mp_conclude()
