"""What a session says that cannot begin."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

BROKEN = """\
import pytest

@pytest.fixture(scope="session")
def measured():
    raise OSError("the launch ended with status 9")

@pytest.mark.parametrize("number", range(3))
def test_one(measured, number):
    pass
"""
START = """\
import sys
from pathlib import Path
import mpcheck.sessions.launch
from mpcheck.sessions.registry import get
mpcheck.sessions.launch.suite_path = lambda _: Path(sys.argv[1])
sys.exit(mpcheck.sessions.launch.start(get("audit"), {}, Path(sys.argv[2]), verbose=len(sys.argv) > 3))
"""


@pytest.mark.parametrize("verbose", [False, True])
def test_a_session_that_cannot_begin_says_why_once(verbose: bool, tmp_path: Path) -> None:
    (tmp_path / "test_broken.py").write_text(BROKEN, encoding="utf-8")
    command = [sys.executable, "-c", START, str(tmp_path), str(tmp_path / "out"), *(["-v"] if verbose else [])]
    done = subprocess.run(command, capture_output=True, text=True, cwd=tmp_path, check=False)
    assert done.returncode == 1
    told = [line for line in done.stderr.splitlines() if "could not begin" in line]
    if verbose:
        assert not told and "def measured" in done.stdout
    else:
        assert told == ["3 tests could not begin: OSError: the launch ended with status 9 (--verbose shows where)"]
        assert "Traceback" not in done.stdout + done.stderr and "def measured" not in done.stdout
