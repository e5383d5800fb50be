"""The symmetry session: one test per piece of work. Run it with `nox -s symmetry` or `mpcheck symmetry`."""

from __future__ import annotations

from typing import Any

import pytest

from mpcheck.sessions import work

pytestmark = [pytest.mark.mpcheck, pytest.mark.mpcheck_suite("symmetry")]


def test_symmetry(inspection_key: Any, mp_session: Any, mp_conclude: Any) -> None:
    mp_conclude(work.inspection_rows("symmetry", mp_session, inspection_key))
