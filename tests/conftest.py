"""Shared, expensive things: one session of the built-in model on small systems, in a cache of its own."""

from __future__ import annotations

import os
from collections.abc import Callable
from pathlib import Path

import pytest

from mpcheck.checks.precision import CellKey
from mpcheck.records import Cell
from mpcheck.session import Options, Session

SYSTEM = "builtin:water"


@pytest.fixture(scope="session")
def cache(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A cache shared by the workers of one test run, never the user's."""
    chosen = os.environ.get("MPCHECK_TEST_CACHE")
    if chosen:
        return Path(chosen)
    root = tmp_path_factory.getbasetemp()
    shared = root.parent if os.environ.get("PYTEST_XDIST_WORKER") else root
    return shared / "mpcheck-cache"


@pytest.fixture(scope="session")
def session(cache: Path) -> Session:
    """builtin:hco on periodic water, e3nn and cueq, all formats."""
    return Session(Options(model="builtin:hco", systems=(SYSTEM,), cache=cache))


@pytest.fixture(scope="session")
def judge(session: Session) -> Callable[..., Cell]:
    """``judge(block, format, direction, backend)``: one cell."""

    def call(block: str, fmt: str, direction: str = "forward", backend: str = "e3nn") -> Cell:
        return session.judge(CellKey(SYSTEM, block, backend, fmt, direction))

    return call
