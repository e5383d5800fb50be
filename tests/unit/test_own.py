"""Two records tell by a digest whether one and the same mpcheck made them."""

from __future__ import annotations

from pathlib import Path

import pytest

import mpcheck._own as own
from mpcheck.records.environment import describe


def test_records_say_which_mpcheck_made_them() -> None:
    assert describe("cpu")["mpcheck_digest"] == own.own_digest() and len(own.own_digest()) == 16
    names = {path.as_posix().rpartition("/mpcheck/")[2] for path in own.own_files()}
    assert {"records/environment.py", "data/upstream-faults.yaml"} <= names and any(path.name == "limits.yaml" for path in own.own_files())


@pytest.mark.parametrize("name", ["verdict.py", "_tolerances/limits.yaml", "_suite/blocks/test_cells.py", "data/new.yaml"])
def test_every_file_that_decides_is_in_it(name: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    package = tmp_path / "mpcheck"
    for file in ("_own.py", "verdict.py", "_tolerances/limits.yaml", "_suite/blocks/test_cells.py"):
        (package / file).parent.mkdir(parents=True, exist_ok=True)
        (package / file).write_text("honest")
    monkeypatch.setattr(own, "__file__", str(package / "_own.py"))
    before = own.own_digest.__wrapped__()
    (package / "__pycache__").mkdir()
    (package / "__pycache__" / "verdict.pyc").write_text("compiled")
    assert own.own_digest.__wrapped__() == before
    (package / name).parent.mkdir(parents=True, exist_ok=True)
    (package / name).write_text("PASS")
    assert own.own_digest.__wrapped__() != before
