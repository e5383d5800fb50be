"""Shared, expensive things: one session of the built-in model on small systems, in a cache of its own."""

from __future__ import annotations

import os
from collections.abc import Callable, Generator
from pathlib import Path
from typing import Any

import pytest
import torch

from mpcheck.checks.precision import CellKey
from mpcheck.records.record import Record
from mpcheck.sessions.precision.limits import judge_by_limits
from mpcheck.sessions.run import Options, Session

SYSTEM = "builtin:water"


def _restored(item: pytest.Item, stage: str) -> Generator[None, Any, Any]:
    """A fixture that leaves another default dtype fails nothing itself, but tests far away: put it back and name it.

    The plugin does the same, and fails the test, for the test's own body.
    """
    before = torch.get_default_dtype()
    try:
        return (yield)
    finally:
        after = torch.get_default_dtype()
        if after != before:
            torch.set_default_dtype(before)
            item.warn(pytest.PytestWarning(f"{stage} of {item.nodeid} left the default dtype at {after} instead of {before}"))


@pytest.hookimpl(wrapper=True)
def pytest_runtest_setup(item: pytest.Item) -> Generator[None, Any, Any]:
    """Fixtures being made."""
    return (yield from _restored(item, "setup"))


@pytest.hookimpl(wrapper=True, tryfirst=True)
def pytest_runtest_call(item: pytest.Item) -> Generator[None, Any, Any]:
    """Also where the test fails, which the plugin lets pass as the failure that it is."""
    return (yield from _restored(item, "call"))


@pytest.hookimpl(wrapper=True)
def pytest_runtest_teardown(item: pytest.Item) -> Generator[None, Any, Any]:
    """Fixtures being unmade."""
    return (yield from _restored(item, "teardown"))


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
    """builtin:hco on periodic water, e3nn and cueq, all formats.

    Every reference is built here, before any test: one that a test built first while a fault is planted would be kept in the
    cache, and judge all that follow.
    """
    made = Session(Options(model="builtin:hco", systems=(SYSTEM,), cache=cache))
    library = made.library(SYSTEM)
    for block in library.blocks():
        library.get(block.name)
        for dtype in (torch.bfloat16, torch.float16):
            library.rounded(block.name, dtype)
    return made


@pytest.fixture(scope="session")
def judge(session: Session) -> Callable[..., Record]:
    """``judge(block, format, direction, backend)``: one cell."""

    def call(block: str, fmt: str, direction: str = "forward", backend: str = "e3nn") -> Record:
        return judge_by_limits(session, CellKey(SYSTEM, block, backend, fmt, direction))

    return call
