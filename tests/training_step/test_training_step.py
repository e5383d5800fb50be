"""The training-step session: one test for each piece. Run it with `nox -s training-step`, or with `pytest tests/training_step --mp-model …`."""

from __future__ import annotations

from typing import Any

import pytest

pytestmark = [pytest.mark.mpcheck, pytest.mark.mpcheck_suite("training-step")]


def test_training_step(mp_piece: Any, mp_conclude: Any) -> None:
    mp_conclude()
