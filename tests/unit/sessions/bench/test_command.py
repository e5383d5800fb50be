"""``mpcheck bench`` as its users run it: nothing stored, stored, a planted fault, the same environment; and what goes wrong on the way."""

from __future__ import annotations

import contextlib
import json
import os
import signal
import subprocess
import sys
import time
from pathlib import Path
from typing import Any

import pytest
import torch

from mpcheck.records.document import Records, read_records
from mpcheck.records.outcome import outcome
from mpcheck.records.record import Record
from tests.unit import forked

TINY = ("--backend", "e3nn", "--block", "spherical_harmonics", "--work", "forward", "--launches", "2", "--seconds", "1")

PREFIX = "mpcheck: error: "

pytestmark = pytest.mark.slow


def environment() -> dict[str, str]:
    """This process's, but for what makes pytest-benchmark take a user's process for a worker of this test run."""
    return {name: value for name, value in os.environ.items() if not name.startswith("PYTEST_")}


def bench(where: Path, *arguments: str, suite: str = "bench") -> subprocess.CompletedProcess[str]:
    return forked.run(["-m", "mpcheck", suite, *arguments], where, environment())


def findings(where: Path) -> dict[str, Record]:
    run: Records = read_records(where / "bench.json")
    return {f.check: f for f in run.records}


@pytest.fixture(scope="module")
def stored(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A directory with ``baselines``, made of a first run, which is checked here."""
    where = tmp_path_factory.mktemp("bench")
    first = bench(where, *TINY, "--out", "first")
    assert first.returncode == 2, first.stdout + first.stderr
    assert "NOTHING GATED: latency 1 no-baseline" in first.stdout and "PASS" not in first.stdout
    assert {f.verdict for f in findings(where / "first").values()} == {"no-baseline"}
    assert not (where / "baselines").exists(), "a run stores nothing"
    expected = {"bench.json", "bench.md", "bench.svg", "bench.xml", "bench-figures.json", "pytest-benchmark.json"}
    assert {p.name for p in (where / "first").iterdir()} == expected
    rounds = json.loads((where / "first" / "pytest-benchmark.json").read_text())["benchmarks"][0]["stats"]
    measured = findings(where / "first")["latency"].figures
    assert rounds["rounds"] == measured["rounds"]
    update = bench(where, "update", "first/bench.json", suite="baseline")
    assert update.returncode == 0, update.stdout + update.stderr
    return where


def path_of(stored: Path) -> Path:
    return next((stored / "baselines").glob("*/bench.json"))


def test_the_same_code_against_what_was_stored(stored: Path) -> None:
    before = path_of(stored).read_bytes()
    again = bench(stored, *TINY, "--margin", "1", "--out", "again")
    assert again.returncode == 0, again.stdout + again.stderr
    found = findings(stored / "again")
    assert found["latency"].verdict in ("pass", "inconclusive") and found["latency"].figures["decision"] != "slower"
    assert found["latency"].limit == 2.0
    assert (found["cost"].verdict, found["cost"].reason) == ("pass", "")
    assert path_of(stored).read_bytes() == before


def test_one_launch_more_than_stored_is_red(stored: Path, tmp_path: Path) -> None:
    data: dict[str, Any] = json.loads(path_of(stored).read_text())
    (name,) = data["cells"]
    cost = data["cells"][name]["fingerprint"]
    operation = max(cost["operations"], key=cost["operations"].get)
    cost["operations"][operation] -= 1
    cost["launches"] -= 1
    planted = tmp_path / "baselines" / path_of(stored).parent.name / "bench.json"
    planted.parent.mkdir(parents=True)
    planted.write_text(json.dumps(data))
    before = planted.read_bytes()
    done = bench(tmp_path, *TINY, "--margin", "1", "--out", "out")
    assert done.returncode == 1, done.stdout + done.stderr
    assert "FAIL" in done.stdout and "spherical_harmonics" in done.stdout
    assert f"1 more launch: {operation} " in done.stdout
    assert findings(tmp_path / "out")["cost"].verdict == "fail"
    assert planted.read_bytes() == before


@pytest.mark.parametrize("against", [sys.prefix, "HEAD"])
def test_the_same_environment_is_said_to_be_the_same(against: str, tmp_path: Path) -> None:
    def git(*arguments: str) -> str:
        return subprocess.run(
            ["git", "-c", "user.name=a", "-c", "user.email=a@b", *arguments], cwd=tmp_path, check=True, capture_output=True, text=True
        ).stdout

    (tmp_path / "pkg.py").write_text("")  # a repository of something that no benchmark imports
    git("init", "--quiet")
    git("add", ".")
    git("commit", "--quiet", "-m", "one")
    done = bench(tmp_path, *TINY, "--against", against, "--margin", "1", "--out", "out")
    assert git("status", "--porcelain") == "?? out/\n" and len(git("worktree", "list").splitlines()) == 1
    assert done.returncode == 0, done.stdout + done.stderr
    assert "base and head import the same libraries" in done.stdout
    assert "not be compared" not in done.stdout
    found = findings(tmp_path / "out")
    assert found["latency"].figures["decision"] != "slower" and found["cost"].verdict == "pass"
    assert not (tmp_path / "out" / "bench-figures.json").exists(), "base against head leaves nothing to store"


def children(pid: int) -> list[int]:
    with contextlib.suppress(OSError):
        return [int(c) for c in Path(f"/proc/{pid}/task/{pid}/children").read_text().split()]
    return []


def first_worker(process: subprocess.Popen[str]) -> int:
    """The first launch's process, once it has loaded its libraries."""
    for _ in range(1200):
        for child in children(process.pid):
            with contextlib.suppress(OSError):
                if (
                    b"mpcheck.bench.launch.worker" in Path(f"/proc/{child}/cmdline").read_bytes()
                    and "libtorch" in Path(f"/proc/{child}/maps").read_text()
                ):
                    return child
        assert process.poll() is None, process.communicate()
        time.sleep(0.05)
    raise AssertionError("no launch was started")


@pytest.mark.skipif(not Path("/proc/self/task").is_dir(), reason="needs Linux's list of children")
@pytest.mark.parametrize("how", ["interrupt", "kill"])
def test_no_launch_outlives_the_session(how: str, tmp_path: Path) -> None:
    command = [sys.executable, "-m", "mpcheck", "bench", *TINY, "--out", "out"]
    process = subprocess.Popen(
        command,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        cwd=tmp_path,
        env=environment(),
        # where tests run in the background interrupts are ignored, and that is inherited
        preexec_fn=lambda: signal.signal(signal.SIGINT, signal.SIG_DFL),
    )
    worker = first_worker(process)
    if how == "interrupt":
        process.send_signal(signal.SIGINT)
    else:
        os.kill(worker, signal.SIGKILL)
    said, _ = process.communicate(timeout=60)
    assert not Path(f"/proc/{worker}").exists()
    if how == "interrupt":
        assert process.returncode == 1 and outcome(read_records(tmp_path / "out" / "bench.json")) == "crashed"
    else:
        assert process.returncode == 2 and not (tmp_path / "out" / "bench.json").exists()
        assert "launch 1 died during " in said and "killed by signal 9" in said
        assert "Traceback" not in said


def only_line(done: subprocess.CompletedProcess[str]) -> str:
    said = done.stdout + done.stderr
    lines = list(dict.fromkeys(line[line.index(PREFIX) :].rstrip("! ") for line in said.splitlines() if PREFIX in line))
    assert done.returncode == 2, said
    assert len(lines) == 1, said
    assert "Traceback" not in said and "INTERNALERROR" not in said
    return lines[0]


@pytest.mark.parametrize(
    ("arguments", "expected"),
    [
        (("--threads", "0"), "Invalid value for '--threads': Input should be greater than or equal to 1"),
        (("--batch", "abc"), "--batch abc: give whole numbers from 1"),
        (("--block", "nope.*"), "no block matches 'nope.*'; `mpcheck blocks builtin:hco` lists them"),
        (("--calibrate", "stored", "--launches", "9"), "--launches 9: calibrating needs at least"),
    ],
)
def test_bad_input_is_one_line(arguments: tuple[str, ...], expected: str, tmp_path: Path) -> None:
    assert expected in only_line(bench(tmp_path, "--backend", "e3nn", *arguments))


def test_a_damaged_baseline_is_refused_before_anything_is_measured(stored: Path, tmp_path: Path) -> None:
    slug = path_of(stored).parent.name
    damaged = tmp_path / "baselines" / slug / "bench.json"
    damaged.parent.mkdir(parents=True)
    damaged.write_bytes(path_of(stored).read_bytes()[:-40])
    before = damaged.read_bytes()
    began = time.monotonic()
    line = only_line(bench(tmp_path, *TINY, "--launches", "500", "--out", "out"))
    assert time.monotonic() - began < 200, "five hundred launches take longer"
    assert f"latency baseline {Path('baselines') / slug / 'bench.json'}: not valid JSON (truncated?)" in line and "restore it" in line
    assert damaged.read_bytes() == before


def test_a_base_that_is_none_is_one_line(tmp_path: Path) -> None:
    line = only_line(bench(tmp_path, *TINY, "--against", "/bin/true"))
    assert "base died during hello (exit status 0)" in line and "is mpcheck installed in /bin/true?" in line


def test_several_workers_are_refused(tmp_path: Path) -> None:
    suite = Path(__file__).parents[3] / "benchmarks"
    done = forked.run(["-m", "pytest", str(suite), "-n", "2", "--mp-backend=e3nn"], tmp_path, environment())
    assert "one at a time: run it without -n" in only_line(done)


@pytest.mark.skipif(torch.cuda.is_available(), reason="there is a CUDA device")
def test_without_cuda_nothing_is_judged_and_a_required_one_is_a_failure(tmp_path: Path) -> None:
    arguments = (*TINY, "--device", "cuda", "--format", "float32")
    done = bench(tmp_path, *arguments, "--out", "out")
    assert PREFIX + "nothing was judged" in only_line(done) and "no CUDA device" in done.stdout
    assert "NOTHING JUDGED" in done.stdout
    assert {f.check: f.verdict for f in findings(tmp_path / "out").values()} == {"latency": "unsupported", "coverage": "no-baseline"}
    required = bench(tmp_path, *arguments, "--require", "cuda", "--out", "required")
    assert required.returncode == 1, required.stdout + required.stderr
    assert findings(tmp_path / "required")["latency"].reason == "required: no CUDA device"
