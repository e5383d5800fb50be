"""What a side says of its packages."""

from __future__ import annotations

from pathlib import Path

import pytest

from mpcheck.gate.probe import content, imported, installed


def test_facts_of_packages(repository: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.syspath_prepend(str(repository))
    before = imported(["pkg", "not.there", "nowhere", "sys"])
    assert set(before) == {"pkg"} and before["pkg"]["path"] == str(repository / "pkg")
    (repository / "pkg" / "kernel.cu").write_text("x")
    assert imported(["pkg"])["pkg"]["digest"] != before["pkg"]["digest"]
    (repository / "pkg" / "__pycache__").mkdir()
    after = content(repository / "pkg")
    (repository / "pkg" / "__pycache__" / "a.pyc").write_text("x")
    assert content(repository / "pkg") == after
    (tmp_path / "site").mkdir()
    (tmp_path / "site" / "x.pth").write_text(f"import os\n{repository}\n")
    assert installed(tmp_path / "site") == ["pkg", "tests"]
