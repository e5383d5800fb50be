"""Launches: processes that answer, die, lie or hang; and the measurement that starts them, with made-up ones."""

from __future__ import annotations

import contextlib
import importlib.util
import json
import math
import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from mpcheck._errors import InputError
from mpcheck._unsupported import Unsupported, no_device
from mpcheck.bench.launch import measurement as measurement_module
from mpcheck.bench.launch.measurement import Effort, Measurement, run_launches
from mpcheck.bench.launch.processes import WORKER, LaunchProcess, environment, launched, own_paths
from mpcheck.bench.launch.worker import PROTOCOL
from mpcheck.bench.timing.sampling import SamplingPlan
from mpcheck.bench.timing.yardstick import KERNELS
from mpcheck.bench.work.workload import UnsupportedError
from tests.unit.bench_samples import PRINT

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


def test_patience_follows_the_time_of_the_run_and_is_never_less_than_a_usual_one() -> None:
    assert Effort(seconds=1.0).patience == Effort().patience > 10 * Effort().seconds
    assert Effort(seconds=10 * Effort().seconds).patience == 10 * Effort().patience
    assert Effort(seconds=math.inf).patience == Effort().patience


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


class Worker:
    """A made-up launch: answers at once, and keeps what it was asked."""

    def __init__(self, world: World) -> None:
        self.world = world
        self.name = "launch"

    def ask(self, command: str, **fields: Any) -> dict[str, Any]:
        json.dumps(fields)
        self.world.asked.append((command, fields.get("key", "")))
        return self.world.answers[command](**fields)


class World:
    """Every made-up launch of a test."""

    def __init__(self, monkeypatch: pytest.MonkeyPatch, keys: Sequence[str] = ("a", "b")) -> None:
        self.asked: list[tuple[str, str]] = []
        self.open = 0
        self.answers: dict[str, Callable[..., dict[str, Any]]] = {
            "load": lambda **_: {"keys": list(keys), "environment": {"device": "cpu"}},
            "measure": lambda **_: {"rounds": [1e-3, 2e-3], "yardstick": {k: [1e-3, 1e-3] for k in KERNELS}, "calls": 1, "first_call": 1.0},
            "start": lambda **_: {"first_call": 0.5, "first": 0.7},
            "reshape": lambda **_: {"shape": 0.1, "refused": ""},
            "fingerprint": lambda **_: {"fingerprint": PRINT.model_dump()},
            "costs": lambda **_: {"build_seconds": {"e3nn": 1.5}},
        }
        monkeypatch.setattr(measurement_module, "launched", self.launched)

    @contextlib.contextmanager
    def launched(self, *_: Any, **__: Any) -> Iterator[tuple[Any, dict[str, Any]]]:
        self.open += 1
        try:
            yield Worker(self), {"mpcheck": "x"}
        finally:
            self.open -= 1

    def count(self, command: str, key: str | None = None) -> int:
        return sum(c == command and key in (None, k) for c, k in self.asked)


EFFORT = Effort(looks=(2, 4, 7), seconds=1e6, plan=SamplingPlan(passes=2))


def test_a_campaign_stops_at_the_first_look_at_which_nothing_is_undecided(monkeypatch: pytest.MonkeyPatch) -> None:
    world = World(monkeypatch)
    asked: list[int] = []

    def undecided(so_far: Measurement) -> list[str]:
        asked.append(so_far.processes)
        return ["b"] if so_far.processes < 4 else []

    found = run_launches({}, EFFORT, undecided)
    assert (asked, found.processes, world.open) == ([2, 4], 4, 0)
    assert {n: len(f.launches) for n, f in found.figures.items()} == {"a": 2, "b": 4}, "only what is undecided is measured again"
    assert (world.count("measure", "a"), world.count("measure", "b")) == (4, 8), "two passes in every launch"
    assert len(found.seconds["b"]) == 4 * 2 * 2
    assert found.build_seconds == {"e3nn": [1.5] * 4}


def test_all_benchmarks_come_between_one_pass_and_the_next(monkeypatch: pytest.MonkeyPatch) -> None:
    world = World(monkeypatch)
    run_launches({}, replace(EFFORT, looks=(1,)), lambda _: [])
    assert [k for c, k in world.asked if c == "measure"] == ["a", "b", "a", "b"]


def test_a_campaign_ends_at_its_last_look_or_when_its_time_is_spent(monkeypatch: pytest.MonkeyPatch) -> None:
    World(monkeypatch)
    assert run_launches({}, EFFORT, lambda c: c.keys).processes == 7
    spent = run_launches({}, replace(EFFORT, seconds=0.0), lambda c: c.keys)
    assert spent.processes == 2, "the first look's launches are always made"
    assert run_launches({}, replace(EFFORT, seconds=0.0), lambda c: ["nobody's"]).processes == 2


def test_first_calls_are_made_of_all_before_anything_is_measured_and_again_only_if_wanted(monkeypatch: pytest.MonkeyPatch) -> None:
    world = World(monkeypatch, ("a", "b", "c.d"))
    found = run_launches({}, EFFORT, lambda c: ["b"], restart=lambda c: c.processes < 4)
    assert [k for c, k in world.asked if c == "start"][:3] == ["c.d", "a", "b"], "parts first"
    assert [c for c, _ in world.asked][:8] == ["load", *["start"] * 3, *["reshape"] * 3, "measure"]
    assert {n: len(s) for n, s in found.starts.items()} == dict.fromkeys(("a", "b", "c.d"), 4), "two looks, and no more"
    assert {n: len(f.launches) for n, f in found.figures.items()} == {"a": 2, "b": 7, "c.d": 2}
    for own in found.starts.values():
        assert len({(s.after, s.shape_after) for s in own}) == 1, "after the same ones in every launch"
    assert len({s.after for own in found.starts.values() for s in own}) == 3
    assert found.figures["a"].starts == found.starts["a"] and found.launches["a"][0].first_call == 0.5


def test_more_first_calls_are_made_though_no_steady_state_is_undecided(monkeypatch: pytest.MonkeyPatch) -> None:
    world = World(monkeypatch)
    found = run_launches({}, EFFORT, lambda _: [], restart=lambda c: c.processes < 4)
    assert found.processes == 4 and len(found.starts["a"]) == 4
    assert world.count("measure", "a") == 2 * 2, "two launches, two passes"


def test_cost_is_counted_once(monkeypatch: pytest.MonkeyPatch) -> None:
    world = World(monkeypatch)
    found = run_launches({}, EFFORT, lambda c: c.keys)
    assert (world.count("fingerprint", "a"), world.count("fingerprint", "b")) == (1, 1)
    assert found.figures["a"].fingerprint == PRINT


def raises(error: Exception) -> dict[str, Any]:
    raise error


def test_what_cannot_run_is_not_asked_for_again(monkeypatch: pytest.MonkeyPatch) -> None:
    world = World(monkeypatch)
    right = world.answers["measure"]
    world.answers["measure"] = lambda **f: right() if f["key"] == "a" else raises(UnsupportedError("no such thing"))
    found = run_launches({}, EFFORT, lambda c: c.keys)
    assert {n: str(w) for n, w in found.unsupported.items()} == {"b": "no such thing"}
    assert (world.count("measure", "b"), world.count("fingerprint", "b")) == (1, 0)
    assert list(found.figures) == ["a"] and "b" not in found.seconds


def test_where_nothing_can_run_one_launch_is_enough(monkeypatch: pytest.MonkeyPatch) -> None:
    world = World(monkeypatch)
    world.answers["measure"] = lambda **_: raises(UnsupportedError("no CUDA device"))
    found = run_launches({}, EFFORT, lambda c: c.keys)
    assert (found.processes, found.figures) == (1, {}) and set(found.unsupported) == {"a", "b"}


def test_what_cannot_be_counted_is_timed_all_the_same(monkeypatch: pytest.MonkeyPatch) -> None:
    world = World(monkeypatch)
    world.answers["fingerprint"] = lambda **_: raises(UnsupportedError("differs from call to call"))
    found = run_launches({}, EFFORT, lambda _: [])
    assert found.unsupported == {} and found.uncounted == dict.fromkeys("ab", Unsupported("not-applicable", "differs from call to call"))
    assert world.count("fingerprint") == 2
    assert len(found.figures["a"].launches) == 2 and found.figures["a"].fingerprint is None


def test_a_launch_that_dies_ends_the_campaign_and_closes_it(monkeypatch: pytest.MonkeyPatch) -> None:
    world = World(monkeypatch)
    world.answers["measure"] = lambda **_: raises(InputError("launch 1 died during measure (killed by signal 9): x"))
    with pytest.raises(InputError, match="killed by signal 9"):
        run_launches({}, EFFORT, lambda _: [])
    assert world.open == 0
