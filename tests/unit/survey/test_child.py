"""A part's process does not outlive its survey, also where that was killed."""

from __future__ import annotations

import os
import subprocess
import sys
import time
from pathlib import Path

import pytest

from mpcheck.survey.child import FRAMES, PARENT
from mpcheck.survey.process import START

WORK = """\
import os, pathlib, sys, time
def main(words):
    place = pathlib.Path(words[0])
    place.with_suffix(".tmp").write_text(f"{os.getpid()} {sorted(v for v in ('MPCHECK_SURVEY_PARENT', 'MPCHECK_SURVEY_FRAMES') if v in os.environ)}")
    place.with_suffix(".tmp").replace(place)
    time.sleep(float(words[1]))
    return 7
"""
SURVEY = """\
import os, subprocess, sys, time
environment = {**os.environ, %r: str(os.getpid()), %r: sys.argv[2]}
subprocess.Popen([sys.executable, "-c", %r, "child_work", sys.argv[1], sys.argv[3]], env=environment, start_new_session=True)
time.sleep(600)
""" % (PARENT, FRAMES, START)  # noqa: UP031 - braces stand in the code


def alive(pid: int) -> bool:
    try:
        return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0] != "Z"
    except OSError:
        return False


def until(condition: object, seconds: float = 60.0) -> bool:
    end = time.monotonic() + seconds
    while time.monotonic() < end:
        if condition():  # type: ignore[operator]
            return True
        time.sleep(0.05)
    return False


@pytest.fixture
def environment(tmp_path: Path) -> dict[str, str]:
    (tmp_path / "child_work.py").write_text(WORK)
    return {**os.environ, "PYTHONPATH": os.pathsep.join([str(tmp_path), str(Path(__file__).parents[3])])}


@pytest.mark.skipif(not Path("/proc/self/stat").is_file(), reason="looks for processes in /proc")
def test_it_ends_with_a_survey_that_was_killed(environment: dict[str, str], tmp_path: Path) -> None:
    place = tmp_path / "told"
    survey = subprocess.Popen([sys.executable, "-c", SURVEY, str(place), str(tmp_path / "frames.txt"), "600"], env=environment)
    assert until(place.is_file)
    pid, names = place.read_text().split(maxsplit=1)
    assert names == "[]", "what it starts is no part of the survey, and must not end with it by mistake"
    assert alive(int(pid))
    survey.kill()
    survey.wait()
    assert until(lambda: not alive(int(pid)))


def test_its_result_is_its_status(environment: dict[str, str], tmp_path: Path) -> None:
    words = [sys.executable, "-c", START, "child_work", str(tmp_path / "told"), "0"]
    assert subprocess.run(words, env=environment, check=False).returncode == 7
