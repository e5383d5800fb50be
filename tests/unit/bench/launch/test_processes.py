"""Launches: processes that answer, die, lie or hang."""

from __future__ import annotations

import contextlib
import importlib.util
import json
import os
import signal
import subprocess
import sys
import time
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

import pytest

from mpcheck._errors import InputError
from mpcheck._unsupported import no_device
from mpcheck.bench.launch import processes
from mpcheck.bench.launch.processes import WORKER, LaunchProcess, environment, launched, own_paths
from mpcheck.bench.launch.worker import PROTOCOL
from mpcheck.bench.work.workload import UnsupportedError

FAKE = """
import json, sys
for line in sys.stdin:
    request = json.loads(line)
    print({body}, flush=True)
"""

HELLO = f'{{"ok": {{"protocol": {PROTOCOL}, "mpcheck": "x"}}}}'


def script(body: str) -> tuple[str, ...]:
    """A process that answers hello properly, and everything else with ``body``."""
    return ("-c", FAKE.format(body=f"{HELLO!r} if request['do'] == 'hello' else {body}"))


def refusal(arguments: Sequence[str], python: str = sys.executable) -> str:
    with pytest.raises(InputError) as told, launched("base", 1, python, arguments=arguments) as (launch, _):
        launch.ask("load")
    assert "\n" not in str(told.value)
    return str(told.value)


@pytest.mark.parametrize(
    ("arguments", "expected"),
    [
        (("-c", "pass"), "base died during hello (exit status 0): it said nothing"),
        (("-c", "import sys; sys.exit('No module named mpcheck')"), "exit status 1): No module named mpcheck; is mpcheck installed in"),
        (("-c", "print('welcome to this shell')"), "base gave no answer to hello but 'welcome to this shell'"),
        (("-c", "import sys; sys.stdout.write(sys.stdin.readline())"), "gave no answer to hello but '{\"do\": \"hello\"}'"),
        (("-c", "print('[]')"), "gave no answer to hello but '[]'"),
        (("-c", 'print(\'{"ok": {"protocol": 99, "mpcheck": "9.9"}}\')'), f"mpcheck 9.9 there measures by protocol 99, here it is {PROTOCOL}"),
        (script("'{\"input_error\": \"a line\"}'"), "a line"),
        (script("'{\"crash\": \"ValueError: x\"}'"), "base failed during load: ValueError: x"),
        (script("sys.exit('last words')"), "base died during load (exit status 1): last words"),
        (script("__import__('os').kill(__import__('os').getpid(), 9)"), "base died during load (killed by signal 9): it said nothing"),
    ],
)  # fmt: skip
def test_a_process_that_is_no_worker_is_one_line(arguments: tuple[str, ...], expected: str) -> None:
    assert expected in refusal(arguments)


def test_what_a_process_said_before_it_ended_is_told() -> None:
    """Whether it ends before or after the request reaches it is a race; what it said must be told either way."""
    command = [sys.executable, "-c", "print('welcome to this shell')"]
    process = subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)
    process.wait()
    launch = LaunchProcess(process, "base")
    with pytest.raises(InputError, match="base gave no answer to hello but 'welcome to this shell'"):
        launch.ask("hello")
    launch.drained()
    for stream in (process.stdin, process.stdout, process.stderr):
        assert stream is not None
        with contextlib.suppress(BrokenPipeError):  # what was not read cannot be flushed
            stream.close()


@pytest.mark.parametrize("python", ["/nowhere/python", "/", __file__])
def test_what_cannot_be_started_is_one_line(python: str) -> None:
    assert f"base: {python} cannot be started" in refusal(WORKER, python)


def test_a_program_that_is_no_python() -> None:
    assert "is mpcheck installed in /bin/true?" in refusal(WORKER, "/bin/true")


def test_unsupported_is_told_apart() -> None:
    with launched("head", 1, arguments=script(f"'{json.dumps({'unsupported': no_device().fields()})}'")) as (launch, hello):
        assert hello == {"protocol": PROTOCOL, "mpcheck": "x"}
        with pytest.raises(UnsupportedError, match=r"^no CUDA device$"):
            launch.ask("measure")


@pytest.mark.parametrize("bad", ["no CUDA device", {"code": "whatever", "text": "", "lacking": ""}, None])
def test_a_reason_that_is_none_is_no_answer(bad: object) -> None:
    answer = json.dumps({"unsupported": bad})
    with launched("head", 1, arguments=script(f"'{answer}'")) as (launch, _), pytest.raises(InputError, match="gave no answer to measure"):
        launch.ask("measure")


def alive(pid: int) -> bool:
    try:
        os.kill(pid, 0)
    except ProcessLookupError:
        return False
    return True


@pytest.mark.parametrize("error", [KeyboardInterrupt, InputError("x"), None])
def test_no_process_is_left(error: Any) -> None:
    pid = 0
    with contextlib.suppress(KeyboardInterrupt, InputError), launched("head", 1, arguments=script("'{\"ok\": {}}'")) as (launch, _):
        pid = launch.process.pid
        assert alive(pid)
        if error is not None:
            raise error
    assert pid and not alive(pid)


def test_an_interrupt_does_not_wait_for_what_a_worker_is_at() -> None:
    body = "__import__('time').sleep(600)"
    signal.signal(signal.SIGALRM, _interrupt)
    with contextlib.suppress(KeyboardInterrupt), launched("head", 1, arguments=script(body)) as (launch, _):
        signal.setitimer(signal.ITIMER_REAL, 0.3)
        launch.ask("measure")
    assert launch.process.returncode == -signal.SIGKILL


def test_a_worker_that_hangs_is_ended_and_told_of_in_one_line() -> None:
    body = "__import__('time').sleep(600)"
    with pytest.raises(InputError) as told, launched("head", 1, arguments=script(body), patience=1.0) as (launch, _):
        launch.ask("measure", key="s*1/x")
    assert "\n" not in str(told.value) and "head did not answer measure s*1/x within 1 s and was ended" in str(told.value)
    assert "--seconds" in str(told.value)
    assert launch.process.returncode == -signal.SIGKILL


def test_a_worker_that_answers_in_time_is_left_alone_afterwards() -> None:
    with launched("head", 1, arguments=script("'{\"ok\": {}}'"), patience=2.0) as (launch, _):
        launch.ask("measure")
        time.sleep(2.2)
        assert launch.ask("measure") == {}


def _interrupt(*_: Any) -> None:
    raise KeyboardInterrupt


@pytest.fixture(autouse=True)
def alarm() -> Iterator[None]:
    before = signal.getsignal(signal.SIGALRM)
    yield
    signal.setitimer(signal.ITIMER_REAL, 0)
    signal.signal(signal.SIGALRM, before)


def test_a_launch_has_its_own_threads_and_leaves_this_process_alone(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PYTHONPATH", "/z")
    before = dict(os.environ)
    found = environment(3, ("/a", "/b"))
    assert (found["OMP_NUM_THREADS"], found["MKL_NUM_THREADS"], found["PYTHONHASHSEED"]) == ("3", "3", "0")
    assert found["PYTHONPATH"] == os.pathsep.join(("/a", "/b", "/z"))
    assert environment(1)["PYTHONPATH"] == "/z"
    assert dict(os.environ) == before


def package(where: Path) -> Path:
    """A checkout of MACE."""
    where.mkdir()
    installed = importlib.util.find_spec("mace")
    assert installed is not None and installed.origin is not None
    (where / "mace").symlink_to(Path(installed.origin).parent)
    return where


def test_a_launch_imports_from_its_paths_and_never_from_the_current_directory(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A user stands in a checkout of MACE: its working tree must not be what the base measures."""
    here, base = package(tmp_path / "here"), package(tmp_path / "base")
    monkeypatch.chdir(here)
    monkeypatch.delenv("PYTHONPATH", raising=False)
    with launched("base", 1, paths=(str(base),)) as (_, hello):
        assert hello["sources"]["mace"]["path"] == str(base / "mace")
    with launched("head", 1) as (_, hello):
        assert hello["sources"]["mace"]["path"] not in (str(base / "mace"), str(here / "mace"))


def test_own_paths_are_what_comes_before_the_standard_library(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(sys, "path", ["", "/x", "/x", *sys.path[[p.endswith(".zip") for p in sys.path].index(True) :]])
    assert own_paths() == (str(tmp_path), "/x")


def test_a_worker_that_takes_long_to_end_is_ended_and_nobody_s_failure(monkeypatch: pytest.MonkeyPatch) -> None:
    """As on a crowded machine: what it had to say it has said."""
    monkeypatch.setattr(processes, "ENDS", 0.2)
    code = FAKE.format(body=repr(HELLO)) + "import time\ntime.sleep(600)\n"
    with launched("launch 1", 1, arguments=("-c", code)) as (launch, hello):
        assert hello["protocol"] == PROTOCOL
    assert launch.process.returncode == -signal.SIGKILL
