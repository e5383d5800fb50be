"""Where references are, and that their use is noted where it can be."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest

from mpcheck.reference.layout import SCHEMA, default_cache, place_of, touch

LIGHT = "import sys, mpcheck.reference.kept, mpcheck.reference.layout, mpcheck.reference.pruning; assert not {'torch', 'numpy'} & set(sys.modules)"


def test_the_environment_chooses_and_the_platform_where_it_does_not(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setenv("MPCHECK_CACHE_DIR", str(tmp_path))
    assert default_cache() == tmp_path and place_of(tmp_path, "ab") == tmp_path / f"v{SCHEMA}" / "ab"
    monkeypatch.delenv("MPCHECK_CACHE_DIR")
    assert default_cache().name == "mpcheck"


def test_use_is_the_time_of_the_tensors(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    path = tmp_path / "a.safetensors"
    path.touch()
    os.utime(path, (1e9, 1e9))
    touch(path)
    assert path.stat().st_mtime > 1.5e9
    touch(tmp_path / "missing")

    def refuse(*_: object) -> None:
        raise PermissionError(1, "not yours")

    monkeypatch.setattr(os, "utime", refuse)
    touch(path)


def test_what_commands_of_the_cache_need_imports_nothing_large() -> None:
    assert subprocess.run([sys.executable, "-c", LIGHT], check=False).returncode == 0
