"""What holds for every one of the project's own tests."""

from __future__ import annotations

from collections.abc import Iterator

import pytest


@pytest.fixture(scope="session", autouse=True)
def no_columns() -> Iterator[None]:
    """Tables are as wide as usual: pytest-xdist tells its processes of a terminal of 80 columns."""
    with pytest.MonkeyPatch.context() as patch:
        patch.delenv("COLUMNS", raising=False)
        yield
