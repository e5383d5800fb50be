"""One session of the built-in model on e3nn, one of it on both backends, one of a model with two heads."""

from __future__ import annotations

from pathlib import Path

import pytest

from mpcheck.checks.uses import asking
from mpcheck.sessions.run import Options, Session
from tests.unit.checks.uses.small_models import built, session_of


@pytest.fixture(scope="session")
def run(tmp_path_factory: pytest.TempPathFactory) -> Session:
    """A model of two elements; no reference is needed."""
    return session_of(built("ScaleShiftMACE"), tmp_path_factory.mktemp("small"))


@pytest.fixture(scope="session")
def heads(tmp_path_factory: pytest.TempPathFactory) -> Session:
    """Two heads with energies of isolated atoms, scales and shifts of their own."""
    return session_of(built("ScaleShiftMACE", ("first", "second")), tmp_path_factory.mktemp("heads"))


@pytest.fixture(scope="session")
def both(cache: Path) -> Session:
    """The built-in model on e3nn and cuEquivariance."""
    return Session(Options(systems=("builtin:water",), cache=cache))


@pytest.fixture(autouse=True)
def scales_of_its_own() -> None:
    """Faults are planted in upstream's classes, the reference's as well: what rounding makes of one must not judge the next."""
    asking._scales.clear()
    asking._learned.clear()
