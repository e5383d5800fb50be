"""What a forked process says: its end, whatever it is, is the run's, and it ends with the first one."""

from __future__ import annotations

import signal
import time
from pathlib import Path

import pytest

from mpcheck.records.outcome import outcome
from mpcheck.records.read import read_document
from tests.unit.pytest_plugin.planted import WIDE, by, planted
from tests.unit.whole_runs import ended, started


@pytest.mark.slow
def test_what_tests_cannot_raise_is_a_crash(tmp_path: Path, cache: Path) -> None:
    """Of pytest's own machinery in a forked process: its cause is told, and nothing is green."""
    site = "import mpcheck.pytest_plugin.worker as w\ndef broken(item):\n    raise ZeroDivisionError('planted')\nw.reports = broken"
    code, said = ended("precision", tmp_path / "out", cache, *WIDE, "-n", "2", site=site)
    found = read_document(tmp_path / "out" / "precision.json")
    assert code == 1 and "ZeroDivisionError: planted" in said, said
    assert found is not None and outcome(found) == "crashed"


@pytest.mark.slow
def test_bad_input_found_by_a_forked_process_is_one_line(tmp_path: Path, cache: Path) -> None:
    site = "from mpcheck._errors import InputError\nfrom mpcheck.sessions.precision.work import PrecisionWork\n"
    site += "def refused(work, piece):\n    raise InputError('file x: field y; mend it')\nPrecisionWork.records = refused"
    code, said = ended("precision", tmp_path / "out", cache, *WIDE, "-n", "2", site=site)
    assert code == 2 and said.count("file x: field y; mend it") == 1 and "Traceback" not in said, said
    assert not (tmp_path / "out" / "precision.json").exists()


@pytest.mark.slow
@pytest.mark.parametrize("how", [signal.SIGINT, signal.SIGKILL])
def test_forked_processes_end_with_the_first(how: signal.Signals, tmp_path: Path, cache: Path) -> None:
    process = started("precision", tmp_path / "out", cache, *WIDE, "-n", "2", site=planted(tmp_path / "seen", "__import__('time').sleep(3.0)"))
    until = time.monotonic() + 200
    while time.monotonic() < until and not by(tmp_path / "seen"):
        time.sleep(0.1)
    process.send_signal(how)
    said, _ = process.communicate(timeout=100)
    found = read_document(tmp_path / "out" / "precision.json")
    assert found is not None and outcome(found) == "crashed", said
    children = [int(pid) for pid in by(tmp_path / "seen") if int(pid) != process.pid]
    assert children
    while time.monotonic() < until and any(map(running, children)):
        time.sleep(0.2)
    assert not any(map(running, children)), "a process goes on that nobody listens to"


def running(pid: int) -> bool:
    """Whether it is there, and no zombie that nobody has asked how it ended."""
    try:
        return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0] not in ("Z", "X")
    except OSError:
        return False
