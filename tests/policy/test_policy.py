"""The policy session: one test for each piece of its work. Run it with `nox -s policy`, or with `pytest tests/policy --mp-model …`."""

from __future__ import annotations

from typing import Any

import pytest

pytestmark = [pytest.mark.mpcheck, pytest.mark.mpcheck_suite("policy")]


def test_policy(mp_piece: Any, mp_conclude: Any) -> None:
    mp_conclude()
