"""Base against head with made-up workers that share a simulated machine: strictly in turns, and no side is favoured."""

from __future__ import annotations

import contextlib
import math
import random
import statistics
from collections.abc import Callable, Iterator
from typing import Any

import pytest

from mpcheck._errors import InputError
from mpcheck._unsupported import Unsupported
from mpcheck.bench.launch import paired as paired_module
from mpcheck.bench.launch.measurement import Effort
from mpcheck.bench.launch.paired import MeasuredSide, PairedMeasurement, alternate, run_paired
from mpcheck.bench.timing.sampling import SamplingPlan
from mpcheck.bench.work.workload import UnsupportedError
from tests.unit.bench_samples import PRINT

PLAN = SamplingPlan(passes=4, rounds=6, seconds=1e6, target=1e-3)

BASE, HEAD = MeasuredSide("base", "python"), MeasuredSide("head", "python")

Fault = Callable[[str, str, str], None]


class Machine:
    """A processor on which both sides run: it drifts, and who is not the last to have run finds cold caches.

    Attributes:
        drift: relative change of speed in a second; cold: relative time that the first call after the other side costs more.
        log: who was asked what; noise: standard deviation of a call, relative.
    """

    def __init__(self, drift: float = 0.0, cold: float = 0.0, noise: float = 0.0, seconds: float = 1e-3, seed: int = 0) -> None:
        self.drift, self.cold, self.noise, self.seconds = drift, cold, noise, seconds
        self.now = 0.0
        self.last = ""
        self.log: list[tuple[str, str, str]] = []
        self.random = random.Random(seed)
        self.open = 0

    def call(self, who: str, factor: float) -> float:
        cold = self.cold if self.last != who else 0.0
        spent = self.seconds * factor * math.exp(self.drift * self.now) * (1 + cold) * math.exp(self.noise * self.random.gauss(0, 1))
        self.now += spent
        self.last = who
        return spent


class Worker:
    """One side, as :mod:`mpcheck.bench.launch.worker` answers: a turn makes a call that is not timed first."""

    def __init__(self, machine: Machine, name: str, factor: float = 1.0, fault: Fault | None = None, keys: tuple[str, ...] = ("a", "b")) -> None:
        self.machine, self.name, self.factor, self.fault, self.keys = machine, name, factor, fault, keys

    def ask(self, command: str, key: str = "", calls: int = 1, **_: Any) -> dict[str, Any]:
        self.machine.log.append((self.name, command, key))
        if self.fault is not None:
            self.fault(self.name, command, key)
        if command == "load":
            return {"keys": list(self.keys), "environment": {}}
        if command == "start":
            seconds = self.machine.call(self.name, self.factor)
            return {"first_call": seconds, "first": seconds}
        if command == "reshape":
            return {"shape": self.machine.call(self.name, self.factor), "refused": ""}
        if command == "prepare":
            return {"seconds": self.machine.call(self.name, self.factor)}
        if command == "turn":
            self.machine.call(self.name, self.factor)
            return {"seconds": statistics.fmean(self.machine.call(self.name, self.factor) for _ in range(calls))}
        return {"fingerprint": PRINT.model_dump()} if command == "fingerprint" else {}


def pair_difference(machine: Machine, factor: float = 1.0) -> float:
    """What one pair of launches says: the median over its passes."""
    base, head = Worker(machine, "base"), Worker(machine, "head", factor)
    return statistics.median(alternate(base, head, "a", PLAN, n)[2] for n in range(PLAN.passes))  # type: ignore[arg-type]


def test_turns_alternate_strictly_and_the_first_changes_from_pass_to_pass() -> None:
    machine = Machine()
    sides = Worker(machine, "base"), Worker(machine, "head")
    for number, first in enumerate(("head", "base", "head", "base")):
        machine.log.clear()
        base, head, _ = alternate(*sides, "a", PLAN, number)  # type: ignore[arg-type]
        second = "base" if first == "head" else "head"
        assert [who for who, command, _ in machine.log if command == "turn"] == [first, second] * PLAN.rounds
        assert [who for who, command, _ in machine.log if command == "prepare"] == [first, second]
        assert sorted(who for who, command, _ in machine.log if command == "release") == ["base", "head"]
        assert len(base) == len(head) == PLAN.rounds


@pytest.mark.parametrize(("drift", "cold"), [(0.0, 0.0), (0.0, 3.0), (0.5, 0.0), (-0.5, 1.0), (0.5, 0.3)])
def test_neither_drift_nor_cold_caches_favour_a_side(drift: float, cold: float) -> None:
    """Drift of 50 % a second is a hundred times what a machine does."""
    assert abs(pair_difference(Machine(drift, cold))) < 1e-4
    assert pair_difference(Machine(drift, cold), 1.05) == pytest.approx(math.log(1.05), abs=2e-3)


def test_an_advantage_of_being_first_is_balanced_within_a_pair() -> None:
    class First(Worker):
        def ask(self, command: str, key: str = "", calls: int = 1, **rest: Any) -> dict[str, Any]:
            answer = super().ask(command, key, calls, **rest)
            if command == "prepare":
                self.factor = 1.0 if [c for _, c, _ in self.machine.log].count("prepare") % 2 else 1.1
            return answer

    machine = Machine()
    sides = First(machine, "base"), First(machine, "head")
    logs = [alternate(*sides, "a", PLAN, n)[2] for n in range(PLAN.passes)]  # type: ignore[arg-type]
    assert max(map(abs, logs)) > 0.05, "the advantage is there"
    assert abs(statistics.median(logs)) < 1e-6


def test_the_same_code_differs_by_noise_only() -> None:
    found = [pair_difference(Machine(drift=0.3, cold=0.5, noise=0.05, seed=seed)) for seed in range(200)]
    assert abs(statistics.fmean(found)) < 3 * statistics.stdev(found) / math.sqrt(200)


def test_a_long_call_ends_with_its_time_but_not_before_four_rounds() -> None:
    slow = Machine(seconds=10.0)
    base, _, _ = alternate(Worker(slow, "base"), Worker(slow, "head"), "a", SamplingPlan(seconds=0.6), 0)  # type: ignore[arg-type]
    assert len(base) == 4


def fails_at(*where: tuple[str, str, str], error: Exception | None = None) -> Fault:
    def fault(*at: str) -> None:
        if at in where:
            raise error or UnsupportedError(Unsupported("raised", "raised X: y"))

    return fault


@pytest.fixture
def world(monkeypatch: pytest.MonkeyPatch) -> dict[str, Any]:
    """What the made-up processes are made of; change it before the measurement."""
    state: dict[str, Any] = {"machine": Machine(), "fault": None, "keys": {"base": ("a", "b"), "head": ("a", "b")}, "started": []}

    @contextlib.contextmanager
    def launched(name: str, *_: Any) -> Iterator[tuple[Any, dict[str, Any]]]:
        state["started"].append(name)
        state["machine"].open += 1
        try:
            yield Worker(state["machine"], name, 1.1 if name == "head" else 1.0, state["fault"], state["keys"][name]), {"sources": {}}
        finally:
            state["machine"].open -= 1

    monkeypatch.setattr(paired_module, "launched", launched)
    return state


EFFORT = Effort(looks=(2, 3, 5), seconds=1e6, plan=PLAN)


def test_paired_measurement_measures_again_what_is_undecided(world: dict[str, Any]) -> None:
    looks: list[int] = []

    def undecided(d: PairedMeasurement) -> list[str]:
        looks.append(d.pairs)
        return ["b"] if d.pairs < 3 else []

    found = run_paired(BASE, HEAD, {}, EFFORT, undecided)
    assert (looks, found.pairs, world["machine"].open) == ([2, 3], 3, 0)
    assert {n: len(d) for n, d in found.differences.items()} == {"a": 2, "b": 3}
    assert found.differences["b"] == [pytest.approx(math.log(1.1))] * 3
    assert world["started"] == ["base", "head", "head", "base", "base", "head"], "neither side is always the older process"
    assert sum(command == "fingerprint" for _, command, _ in world["machine"].log) == 4, "once a side and benchmark"
    assert found.fingerprints["base"] == found.fingerprints["head"] == {"a": PRINT, "b": PRINT}


def test_paired_measurement_ends_when_its_time_is_spent(world: dict[str, Any]) -> None:
    assert run_paired(BASE, HEAD, {}, Effort(looks=(2, 9), seconds=0.0, plan=PLAN), lambda d: d.shared).pairs == 2
    assert run_paired(BASE, HEAD, {}, EFFORT, lambda d: d.shared).pairs == 5


def test_benchmarks_that_one_side_lacks_are_not_measured(world: dict[str, Any]) -> None:
    world["keys"] = {"base": ("a", "old"), "head": ("new", "a")}
    found = run_paired(BASE, HEAD, {}, EFFORT, lambda _: [])
    assert found.shared == ["a"] and list(found.differences) == ["a"]
    world["keys"] = {"base": ("old",), "head": ("new",)}
    nothing = run_paired(BASE, HEAD, {}, EFFORT, lambda _: [])
    assert (nothing.differences, nothing.pairs) == ({}, 1), "another pair would find no more"


@pytest.mark.parametrize(
    ("where", "told"),
    [
        ([("head", "prepare", "b")], ("head", Unsupported("raised", "raised X: y"))),
        ([("base", "prepare", "b")], ("base", Unsupported("raised", "raised X: y"))),
        ([("base", "prepare", "b"), ("head", "prepare", "b")], ("both", Unsupported("raised", "raised X: y"))),
    ],
)
def test_what_a_side_cannot_run_is_said_with_its_name(
    world: dict[str, Any], where: list[tuple[str, str, str]], told: tuple[str, Unsupported]
) -> None:
    world["fault"] = fails_at(*where)
    found = run_paired(BASE, HEAD, {}, EFFORT, lambda _: [])
    assert found.unsupported == {"b": told}
    assert list(found.differences) == ["a"] and len(found.differences["a"]) == 2


@pytest.mark.parametrize("side", ["base", "head"])
def test_what_cannot_be_counted_is_timed_all_the_same(world: dict[str, Any], side: str) -> None:
    world["fault"] = fails_at((side, "fingerprint", "b"), error=UnsupportedError("its cost differs: from call to call"))
    found = run_paired(BASE, HEAD, {}, EFFORT, lambda _: [])
    assert found.unsupported == {} and found.uncounted == {"b": (side, Unsupported("not-applicable", "its cost differs: from call to call"))}
    assert len(found.differences["b"]) == 2


def test_a_side_that_dies_closes_both(world: dict[str, Any]) -> None:
    world["fault"] = fails_at(("base", "load", ""), error=InputError("base died during load (killed by signal 9): x"))
    with pytest.raises(InputError, match=r"^base died during load"):
        run_paired(BASE, HEAD, {}, EFFORT, lambda _: [])
    assert world["machine"].open == 0
