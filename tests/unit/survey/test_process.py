"""A part's process: its log, its end, and where it was."""

from __future__ import annotations

import sys
import time
from pathlib import Path

import pytest

from mpcheck.survey.process import PartProcess, frames, last_lines

WORK = """\
import subprocess, sys, time, threading
def main(words):
    print("began", words, flush=True)
    if words[0] == "hang":
        child = subprocess.Popen([sys.executable, "-c", "import time; time.sleep(500)"])
        print("child", child.pid, flush=True)
        threading.Thread(target=time.sleep, args=(500,), daemon=True).start()
        innermost()
    return int(words[0])
def innermost():
    time.sleep(500)
"""


@pytest.fixture
def work(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> str:
    (tmp_path / "some_work.py").write_text(WORK)
    monkeypatch.syspath_prepend(str(tmp_path))
    monkeypatch.delitem(sys.modules, "some_work", raising=False)
    return "some_work"


def waited(process: PartProcess, text: str = "") -> None:
    end = time.monotonic() + 60
    while time.monotonic() < end and (text not in process.log.read_text() if text else not process.ended):
        time.sleep(0.05)


def test_what_it_says_and_how_it_ends(work: str, tmp_path: Path) -> None:
    process = PartProcess(work, ["3", "x"], tmp_path / "log.txt", tmp_path, {"A": "b"})
    waited(process)
    assert process.code == 3 and last_lines(process.log) == ["began ['3', 'x']"] and frames(process.log) == []


@pytest.mark.skipif(not Path("/proc/self/stat").is_file(), reason="looks for processes in /proc")
def test_one_that_hangs_says_where_and_takes_what_it_started_with_it(work: str, tmp_path: Path) -> None:
    process = PartProcess(work, ["hang"], tmp_path / "log.txt", tmp_path, {})
    waited(process, "child")
    time.sleep(0.3)
    child = Path("/proc") / process.log.read_text().partition("child ")[2].split()[0] / "stat"
    process.end()
    assert process.code is not None and process.code < 0
    assert "innermost" in frames(process.log)[0] and any("main" in frame for frame in frames(process.log))
    end = time.monotonic() + 20
    while time.monotonic() < end and child.exists() and child.read_text().rpartition(")")[2].split()[0] != "Z":
        time.sleep(0.05)
    assert not child.exists() or child.read_text().rpartition(")")[2].split()[0] == "Z"
