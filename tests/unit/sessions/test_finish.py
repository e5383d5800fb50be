"""The files that a session ends with, and what becomes of those that were there before."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.unit.whole_runs import COMMAND, SMALL, ended


@pytest.mark.slow
def test_a_narrower_run_keeps_the_wider_one_and_says_so(tmp_path: Path, cache: Path) -> None:
    out, name = tmp_path / "out", "precision.json"
    assert ended("precision", out, cache)[0] == 0
    wide = (out / name).read_bytes()
    code, said = ended("precision", out, cache, "--backend", "cueq")  # another, wider one: nothing is told of a loss
    assert f"{name}.earlier" not in said and (out / name).read_bytes() != wide
    wide = (out / name).read_bytes()
    code, said = ended("symmetry", out, cache)
    assert code == 0 and (out / name).read_bytes() == wide
    narrow = ["--block", "readouts.0*"]
    SMALL["narrow"], COMMAND["narrow"] = [*SMALL["precision"][2:], *narrow], "run"
    code, said = ended("narrow", out, cache)
    assert code == 0 and f"{name}.earlier" in said and "narrowed: left out" in said
    assert (out / f"{name}.earlier").read_bytes() == wide and (out / name).read_bytes() != wide
    code, said = ended("narrow", out, cache, site="from mpcheck.sessions.run import Session\nSession.cells = lambda self: self.cells_of_nobody")
    assert code == 1 and not (out / name).is_file(), said  # an earlier green is not this run's
    assert (out / f"{name}.earlier").read_bytes() == wide
