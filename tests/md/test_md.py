"""The md session: one test for each piece of its work. Run it with `nox -s md`, or with `pytest tests/md --mp-model …`."""

from __future__ import annotations

from typing import Any

import pytest

pytestmark = [pytest.mark.mpcheck, pytest.mark.mpcheck_suite("md")]


def test_md(mp_piece: Any, mp_conclude: Any) -> None:
    mp_conclude()
