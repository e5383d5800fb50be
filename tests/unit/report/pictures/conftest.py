"""All pictures are drawn once."""

from __future__ import annotations

import pytest

from mpcheck.report.pictures import Picture
from tests.unit.report.pictures.samples import everything


@pytest.fixture(scope="session")
def all_pictures() -> list[Picture]:
    return everything()
