"""Every block at every format and backend against its computed tolerance; one test per cell.

Run it with `pytest tests/blocks --mp-model … --mp-system …`, with `mpcheck run`, or with `nox -s precision`.
"""

from __future__ import annotations

from typing import Any

import pytest

from mpcheck._text import terminal

pytestmark = pytest.mark.mpcheck


def test_cell(cell_key: Any, mp_suite: Any, mp_record: Any) -> None:
    cell = mp_suite.judge(cell_key)
    mp_record("cell", cell.model_dump())
    if cell.verdict == "unsupported":
        pytest.skip(terminal(f"unsupported({cell.reason})"))
    if cell.verdict != "pass":
        pytest.fail(terminal(f"{cell.id}: {cell.verdict}: {cell.reason}") + worst(cell), pytrace=False)


def worst(cell: Any) -> str:
    """The worst element of the first quantity that failed, in words."""
    for q in cell.quantities:
        if q.failures and q.worst is not None:
            w = q.worst
            return "\n" + terminal(f"  worst element of {q.name}: {w.place}: got {w.value}, expected {w.expected}, allowed error {w.allowed}")
    return ""
