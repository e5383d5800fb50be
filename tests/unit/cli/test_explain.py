"""The command that explains one cell."""

from __future__ import annotations

from pathlib import Path

import pytest

from mpcheck.cli.main import main
from tests.unit.commands import refusal

CELL = "builtin:isolated/readouts.0.linear-e3nn-float32-forward"


@pytest.mark.parametrize("ops", [True, False])
def test_a_cell_is_explained(ops: bool, cache: Path, capfd: pytest.CaptureFixture[str]) -> None:
    assert main(["explain", CELL, "--cache", str(cache), *(["--ops"] if ops else [])]) == 0
    out, err = capfd.readouterr()
    assert out.startswith(f"{CELL}: pass\n")
    assert err == ""
    assert ("no operation rounds more than its format explains" in out) == ops
    assert ("unit roundoff u" in out) != ops


@pytest.mark.parametrize("ops", [True, False])
def test_what_is_no_cell_is_one_line(ops: bool, capfd: pytest.CaptureFixture[str]) -> None:
    assert "is no cell" in refusal(capfd, "explain", "nonsense", *(["--ops"] if ops else []))
