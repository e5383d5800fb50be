"""Every block at every format and backend against its computed tolerance; one test per cell.

Run it with `pytest tests/blocks --mp-model … --mp-system …`, with `mpcheck run`, or with `nox -s precision`.
"""

from __future__ import annotations

from typing import Any

import pytest

from mpcheck.sessions import work

pytestmark = pytest.mark.mpcheck


def test_cell(cell_key: Any, mp_suite: Any, mp_conclude: Any) -> None:
    mp_conclude(work.cell_rows(mp_suite, cell_key))
