"""What tests of commands share: an empty directory to work in, and a whole run."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest


@pytest.fixture
def elsewhere(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, cache: Path) -> None:
    """Work in an empty directory, with no cache but that of the tests."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("MPCHECK_CACHE_DIR", str(cache))
    monkeypatch.setenv("PYTEST_ADDOPTS", "-p no:randomly")


@pytest.fixture(scope="session")
def written(tmp_path_factory: pytest.TempPathFactory, cache: Path) -> tuple[subprocess.CompletedProcess[str], Path]:
    """A whole run in a process of its own."""
    root = tmp_path_factory.mktemp("run")
    arguments = ["run", "builtin:hco", "--system", "builtin:solvents:2", "--backend", "e3nn", "--format", "bfloat16", "--block", "readouts*"]
    command = [sys.executable, "-m", "mpcheck", *arguments, "--out", str(root / "deep" / "out"), "--cache", str(cache)]
    return subprocess.run(command, capture_output=True, text=True, check=False, cwd=root), root / "deep" / "out"


@pytest.fixture
def place(tmp_path: Path) -> Path:
    """Where baselines are stored."""
    return tmp_path / "baselines"
