"""Launch after launch: what is measured again, what is given up, and when it ends."""

from __future__ import annotations

import contextlib
import json
import math
from collections.abc import Callable, Iterator, Sequence
from dataclasses import replace
from typing import Any

import pytest

from mpcheck._errors import InputError
from mpcheck._unsupported import Unsupported
from mpcheck.bench.launch import measurement as measurement_module
from mpcheck.bench.launch.measurement import Effort, Measurement, run_launches
from mpcheck.bench.timing.sampling import SamplingPlan
from mpcheck.bench.timing.yardstick import KERNELS
from mpcheck.bench.work.workload import UnsupportedError
from tests.unit.bench_samples import PRINT, WATER, against, launches, measurement


def test_a_benchmark_that_ran_in_one_launch_only_has_no_figures() -> None:
    now = measurement(10.0)
    now.unsupported[WATER.id] = Unsupported("raised", "raised RuntimeError: boom")
    assert now.figures == {}
    assert [f.verdict for f in against(now, launches(10.0))] == ["fail"]


def test_patience_follows_the_time_of_the_run_and_is_never_less_than_a_usual_one() -> None:
    assert Effort(seconds=1.0).patience == Effort().patience > 10 * Effort().seconds
    assert Effort(seconds=10 * Effort().seconds).patience == 10 * Effort().patience
    assert Effort(seconds=math.inf).patience == Effort().patience


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


def test_a_measurement_stops_at_the_first_look_at_which_nothing_is_undecided(monkeypatch: pytest.MonkeyPatch) -> None:
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


def test_a_measurement_ends_at_its_last_look_or_when_its_time_is_spent(monkeypatch: pytest.MonkeyPatch) -> None:
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


def test_a_launch_that_dies_ends_the_measurement_and_closes_it(monkeypatch: pytest.MonkeyPatch) -> None:
    world = World(monkeypatch)
    world.answers["measure"] = lambda **_: raises(InputError("launch 1 died during measure (killed by signal 9): x"))
    with pytest.raises(InputError, match="killed by signal 9"):
        run_launches({}, EFFORT, lambda _: [])
    assert world.open == 0
