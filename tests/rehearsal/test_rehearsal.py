"""A survey at toy size from beginning to end: killed in the middle, gone on with, one part failing, one hanging, one leaving too much.

What it needs of a GPU it has at its own time; here the machinery is proved, so that the minutes there are not spent on it.
"""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
import zipfile
from pathlib import Path

import pytest

from mpcheck.cli.main import main
from mpcheck.records.document import Records
from mpcheck.records.read import read_document
from mpcheck.records.record import Record
from mpcheck.sessions.survey.registry import parts
from mpcheck.survey.archive import LEFT_OUT, LIMIT
from mpcheck.survey.part import Scale
from mpcheck.survey.run import read_state

HERE = Path(__file__).parent
SITE = f"import mpcheck.sessions.survey.parts\nmpcheck.sessions.survey.parts.__path__.append({str(HERE / 'parts')!r})\n"
MINUTES = "30"  # this machine may have other work; what it takes is printed


def alive(pid: int) -> bool:
    try:
        status = Path(f"/proc/{pid}/stat").read_text(encoding="utf-8")
    except OSError:
        return False
    return status.rpartition(")")[2].split()[0] != "Z"


class Surveyed:
    """A directory in which a survey was killed, and then gone on with."""

    def __init__(self, where: Path) -> None:
        self.out = where / "out"
        site = where / "site"
        site.mkdir()
        (site / "sitecustomize.py").write_text(SITE, encoding="utf-8")
        paths = os.pathsep.join([str(site), str(HERE), str(HERE.parents[1])])
        self.environment = {**os.environ, "PYTHONPATH": paths, "PYTHONUNBUFFERED": "1", "OMP_NUM_THREADS": "1"}
        self.where, self.log = where, where / "log.txt"

    def begin(self) -> subprocess.Popen[bytes]:
        command = [sys.executable, "-m", "mpcheck", "survey", "--device", "cpu", "--size", "toy", "--minutes", MINUTES, "--out", str(self.out)]
        with self.log.open("wb") as said:
            return subprocess.Popen(command, cwd=self.where, env=self.environment, stdout=said, stderr=subprocess.STDOUT)

    def said(self) -> str:
        return self.log.read_text(encoding="utf-8", errors="replace")

    def wait_for(self, text: str, process: subprocess.Popen[bytes], seconds: float = 900.0) -> None:
        end = time.monotonic() + seconds
        while text not in self.said():
            assert process.poll() is None and time.monotonic() < end, self.said()
            time.sleep(0.1)

    def document(self) -> Records:
        read = read_document(self.out / "survey.json")
        assert read is not None
        return read


@pytest.fixture(scope="module")
def surveyed(tmp_path_factory: pytest.TempPathFactory) -> Surveyed:
    if not Path("/proc/self/stat").is_file():
        pytest.skip("looks for processes in /proc")
    began = time.monotonic()
    one = Surveyed(tmp_path_factory.mktemp("survey"))
    process = one.begin()
    one.wait_for("rehearsed-floods: pass", process)
    one.wait_for("smoke: began", process)
    working = [int(pid) for pid in subprocess.run(["ps", "-eo", "ppid=,pid="], capture_output=True, text=True, check=True).stdout.split()]
    children = [pid for parent, pid in zip(working[::2], working[1::2], strict=True) if parent == process.pid]
    assert children
    process.send_signal(signal.SIGKILL)
    process.wait()
    state = read_state(one.out / "survey.zip")
    assert state is not None
    one.killed, one.first, one.orphans = one.document(), state, children  # type: ignore[attr-defined]
    one.first_said = one.said()  # type: ignore[attr-defined]
    again = one.begin()
    one.status = again.wait(1500)  # type: ignore[attr-defined]
    print(f"\nthe rehearsal took {time.monotonic() - began:.0f} s\n{one.said()}")
    return one


def of(surveyed: Surveyed, part: str) -> Record:
    (record,) = [r for r in surveyed.document().records if r.check == "part" and r.subject == part]
    return record


def test_a_killed_survey_leaves_what_had_ended_and_no_process(surveyed: Surveyed) -> None:
    assert surveyed.killed.state == "running"  # type: ignore[attr-defined]
    known = surveyed.first.parts  # type: ignore[attr-defined]
    assert known["rehearsed-floods"].status == "ended" and known["rehearsed-raises"].status == "broken"
    end = time.monotonic() + 30
    while any(alive(pid) for pid in surveyed.orphans) and time.monotonic() < end:  # type: ignore[attr-defined]
        time.sleep(0.2)
    assert not any(alive(pid) for pid in surveyed.orphans)  # type: ignore[attr-defined]


def test_the_next_run_keeps_what_had_ended_and_runs_the_rest(surveyed: Surveyed) -> None:
    kept = next(line for line in surveyed.said().splitlines() if line.startswith("kept from before:"))
    assert "rehearsed-floods" in kept and "rehearsed-raises" not in kept and "smoke" not in kept
    assert "rehearsed-floods: began" not in surveyed.said() and "smoke: began" in surveyed.said()
    document = surveyed.document()
    assert document.state == "complete" and surveyed.status == 1, "what failed is red"  # type: ignore[attr-defined]
    wanted = {part.name for part in parts(Scale("cpu", toy=True))}
    assert wanted <= {planned.subject for planned in document.plan}


def test_every_part_that_exists_here_ran_and_nothing_but_the_rehearsed_is_red(surveyed: Surveyed) -> None:
    for part in parts(Scale("cpu", toy=True)):
        assert of(surveyed, part.name).verdict in ("pass", "unsupported"), of(surveyed, part.name).reason
    red = {record.subject for record in surveyed.document().records if record.red}
    assert red == {"rehearsed-raises", "rehearsed-hangs"}


def test_what_failed_says_where(surveyed: Surveyed) -> None:
    raised, hung = of(surveyed, "rehearsed-raises"), of(surveyed, "rehearsed-hangs")
    assert raised.verdict == "fail" and "a kernel that does not load" in " ".join(raised.figures["last lines"])
    assert hung.verdict == "fail" and "did not end within 8 s" in hung.reason
    assert "stuck_in_a_kernel" in " ".join(hung.figures["frames"]) and "stuck_in_a_kernel" in hung.reason


def test_what_hung_is_gone_with_what_it_had_started(surveyed: Surveyed) -> None:
    with zipfile.ZipFile(surveyed.out / "survey.zip") as archive:
        pids = [int(archive.read(f"parts/rehearsed-hangs/out/{name}.txt")) for name in ("pid", "child")]
        assert b"stuck_in_a_kernel" in archive.read("parts/rehearsed-hangs/frames.txt")
    assert not any(alive(pid) for pid in pids)


def test_what_it_leaves_is_bounded_and_says_what_is_missing(surveyed: Surveyed) -> None:
    files = list(surveyed.out.iterdir())
    assert {path.name for path in files} == {"survey.json", "survey.md", "survey.zip"}
    assert all(path.stat().st_size <= LIMIT for path in files)
    with zipfile.ZipFile(surveyed.out / "survey.zip") as archive:
        assert "parts/rehearsed-floods/out/trace.json.gz" in archive.read(LEFT_OUT).decode()
        names = archive.namelist()
        assert {"state.json", "parts/cells/out/precision.json", "parts/latency/out/bench-figures.json", "parts/cells/log.txt"} <= set(names)
        assert any(name.startswith("parts/ratios/out/baselines/") for name in names)
    assert "left-out.txt" in (surveyed.out / "survey.md").read_text(encoding="utf-8")


def test_a_toy_is_no_baseline(surveyed: Surveyed, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["baseline", "adopt", str(surveyed.out), "--dir", str(tmp_path)]) == 2
    assert "toy size" in capsys.readouterr().err and not list(tmp_path.iterdir())
