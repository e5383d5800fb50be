"""What holds for tests of the training session."""

from __future__ import annotations

from collections.abc import Iterator

import pytest


@pytest.fixture(autouse=True, scope="session")
def one_run() -> Iterator[None]:
    """Sessions of these tests are runs of their own, whatever runs the tests: workers of pytest-xdist have one run in common."""
    with pytest.MonkeyPatch.context() as patch:
        patch.delenv("PYTEST_XDIST_TESTRUNUID", raising=False)
        yield
