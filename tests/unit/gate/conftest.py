"""What tests of the gate share: a repository, and a gate whose processes are played."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.gate.adopter import git
from tests.unit.gate.fake_gate import FakeGate


@pytest.fixture
def repository(tmp_path: Path) -> Path:
    """A package in two versions, one committed and one in the working tree."""
    where = tmp_path / "repository"
    (where / "pkg").mkdir(parents=True)
    (where / "tests").mkdir()
    (where / "tests" / "__init__.py").touch()
    (where / "pkg" / "__init__.py").write_text("VERSION = 'old'\n")
    git(where, "init", "--quiet", "-b", "main")
    git(where, "add", ".")
    git(where, "commit", "--quiet", "-m", "one")
    (where / "pkg" / "__init__.py").write_text("VERSION = 'new'\n")
    return where


@pytest.fixture
def gate(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> FakeGate:
    return FakeGate(tmp_path, monkeypatch)
