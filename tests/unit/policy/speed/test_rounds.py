"""Candidates called in turn in one process."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest

from mpcheck.bench.timing.sampling import typical
from mpcheck.bench.work.hostclock import HostClock
from mpcheck.policy.speed.rounds import FEWEST, MOST, RoundPlan, interleaved


class Machine:
    """A machine whose speed drifts with every call, and a clock that is right."""

    def __init__(self, drift: float = 0.0) -> None:
        self.now, self.drift, self.order = 0.0, drift, list[str]()

    def work(self, name: str, seconds: float) -> Callable[[], None]:
        def call() -> None:
            self.order.append(name)
            self.now += seconds * (1 + self.drift * len(self.order))

        return call

    def seconds(self, call: Callable[[], Any], calls: int) -> float:
        before = self.now
        for _ in range(calls):
            call()
        return self.now - before


def test_a_machine_that_slows_down_slows_all_of_them() -> None:
    machine = Machine(drift=0.01)
    found = interleaved({"slow": machine.work("slow", 0.2), "fast": machine.work("fast", 0.1)}, machine, RoundPlan(seconds=20.0))
    ratio = typical(found.seconds["slow"]) / typical(found.seconds["fast"])
    assert abs(ratio - 2.0) < 0.06 and found.seconds["fast"][-1] > 1.5 * found.seconds["fast"][0]


@pytest.mark.parametrize(("once", "each"), [(0.1, 1), (0.001, 2)])
def test_orders_change_and_all_have_the_same_rounds(once: float, each: int) -> None:
    machine = Machine()
    calls = {name: machine.work(name, once) for name in "abc"}
    found = interleaved(calls, machine, RoundPlan(seconds=30 * once * each, warmup=2))
    timed = machine.order[6:]
    assert machine.order[:6] == list("aabbcc") and timed[::each] == timed[each - 1 :: each]  # a short call follows one that fills its caches
    rounds = ["".join(timed[i : i + 3 * each : each]) for i in range(0, len(timed), 3 * each)]
    assert {"".join(sorted(r)) for r in rounds} == {"abc"} and len(set(rounds)) > 2
    assert {len(s) for s in found.seconds.values()} == {len(rounds)} and 9 <= len(rounds) <= 10


@pytest.mark.parametrize(("once", "rounds"), [(100.0, FEWEST), (1e-9, MOST)])
def test_rounds_are_bounded(once: float, rounds: int) -> None:
    machine = Machine()
    assert len(interleaved({"a": machine.work("a", once)}, machine, RoundPlan(seconds=1.0)).seconds["a"]) == rounds


def test_nothing_to_time_takes_no_time() -> None:
    assert interleaved({}, Machine(), RoundPlan()).seconds == {}


def test_time_that_others_had_is_told() -> None:
    clock = HostClock()
    found = interleaved({"a": lambda: sum(range(20000))}, clock, RoundPlan(seconds=0.05))
    clock.close()
    assert 0.0 <= found.waiting <= 1.0 and len(found.seconds["a"]) >= FEWEST
