"""Sampling one benchmark with a made-up clock and workload: rounds, calls, units of the yardstick."""

from __future__ import annotations

import contextlib
import math
from collections.abc import Callable, Iterator
from typing import Any

import pytest
import torch

from mpcheck.bench.keys import BenchKey
from mpcheck.bench.timing import sampling
from mpcheck.bench.timing.sampling import COMPOSITES, LONG, Readings, SamplingPlan, launch_of, normalised, sample, seconds_of, typical
from mpcheck.bench.timing.yardstick import KERNELS
from mpcheck.bench.work.workloads import WHOLE, UnsupportedError, Workload

KEY = BenchKey("builtin:water", 1, "model", "e3nn", "float32", "energy")


class Clock:
    """Simulated seconds; work adds to them."""

    def __init__(self, speed: float = 1.0) -> None:
        self.now, self.speed = 0.0, speed
        self.timed: list[tuple[str, int]] = []
        self.untimed = 0
        self._inside = False

    def work(self, name: str, seconds: float) -> Callable[[], None]:
        def call() -> None:
            self.now += seconds * self.speed
            self.untimed += not self._inside and name == "call"

        call.__name__ = name
        return call

    def seconds(self, call: Callable[[], Any], calls: int) -> float:
        before, self._inside = self.now, True
        for _ in range(calls):
            call()
        self._inside = False
        self.timed.append((call.__name__, calls))
        return self.now - before


class Blocks:
    """Workloads that take so many simulated seconds."""

    def __init__(self, clock: Clock, seconds: float) -> None:
        self.clock, self.seconds, self.open, self.opened_times = clock, seconds, 0, 0
        self.first_call = 2 * seconds

    @contextlib.contextmanager
    def opened(self, key: BenchKey) -> Iterator[Workload]:
        self.open += 1
        self.opened_times += 1
        try:
            yield Workload(key, WHOLE, self.clock.work("call", self.seconds), torch.device("cpu"), self.first_call)
        finally:
            self.open -= 1


@pytest.fixture
def yard(monkeypatch: pytest.MonkeyPatch) -> Callable[[Clock], None]:
    def use(clock: Clock) -> None:
        monkeypatch.setattr(sampling, "kernels", lambda _: {n: clock.work(n, 1e-4 * (i + 1)) for i, n in enumerate(KERNELS)})

    return use


def readings(clock: Clock, seconds: float, plan: SamplingPlan, yard: Callable[[Clock], None], first: bool = True) -> Readings:
    yard(clock)
    return sample(Blocks(clock, seconds), KEY, clock, plan, first)  # type: ignore[arg-type]


def test_rounds_lie_between_readings_of_every_kernel(yard: Callable[[Clock], None]) -> None:
    clock = Clock()
    found = readings(clock, 1e-4, SamplingPlan(rounds=4), yard)
    assert found.calls == 10, "as many as take the target together"
    assert found.rounds == [pytest.approx(1e-4)] * 4 and found.first_call == 2e-4
    assert {n: len(v) for n, v in found.yardstick.items()} == dict.fromkeys(KERNELS, 4)
    assert [n for n, _ in clock.timed][-(len(KERNELS) + 1) :] == [*KERNELS, "call"]
    assert clock.timed[-1] == ("call", 10)


@pytest.mark.parametrize(("seconds", "first", "untimed"), [(1e-3, True, 5 + 4), (1e-3, False, 3 + 4), (2 * LONG, True, 5), (2 * LONG, False, 1)])
def test_warm_calls_and_one_before_every_short_round_are_not_timed(seconds: float, first: bool, untimed: int, yard: Callable[[Clock], None]) -> None:
    clock = Clock()
    found = readings(clock, seconds, SamplingPlan(rounds=4, warmup=5, passes=1), yard, first)
    assert (len(found.rounds), clock.untimed) == (4, untimed)


@pytest.mark.parametrize(("seconds", "rounds"), [(1e-3, 6), (0.06, 3), (10.0, 3)])
def test_long_calls_have_fewer_rounds_but_three(seconds: float, rounds: int, yard: Callable[[Clock], None]) -> None:
    found = readings(Clock(), seconds, SamplingPlan(rounds=6, seconds=0.6, passes=4), yard)
    assert len(found.rounds) == rounds and found.calls == 1


def test_a_slower_machine_changes_seconds_and_not_what_is_stored(yard: Callable[[Clock], None]) -> None:
    fast, slow = (launch_of([readings(Clock(speed), 2e-3, SamplingPlan(), yard)]) for speed in (1.0, 1.7))
    assert slow.seconds == pytest.approx(1.7 * fast.seconds)
    assert slow.normalised == pytest.approx(fast.normalised)
    assert fast.normalised["matmul"] == pytest.approx(20.0)
    assert set(fast.normalised) == {*KERNELS, *COMPOSITES}


@pytest.mark.parametrize(("seconds", "calls"), [(1e-3, 1), (1e-2, 1), (2e-4, 5), (1e-9, 1000)])
def test_calls_of_a_round(seconds: float, calls: int, yard: Callable[[Clock], None]) -> None:
    assert readings(Clock(), seconds, SamplingPlan(target=1.001e-3), yard).calls == calls


def test_how_long_a_call_takes_is_the_shortest_of_three_or_a_long_ones_only_one() -> None:
    clock, spent = Clock(), iter([0.003, 0.001, 0.002, 0.5])

    def call() -> None:
        clock.now += next(spent)

    workload = Workload(KEY, WHOLE, call, torch.device("cpu"), 1.0)
    assert seconds_of(clock, workload) == pytest.approx(0.001)
    assert seconds_of(clock, workload) == pytest.approx(0.5)
    assert next(spent, None) is None


def test_what_cannot_run_leaves_nothing_open(yard: Callable[[Clock], None]) -> None:
    clock = Clock()
    blocks = Blocks(clock, 1e-3)

    class Broken(Clock):
        def seconds(self, call: Callable[[], Any], calls: int) -> float:
            raise UnsupportedError("x")

    yard(clock)
    with pytest.raises(UnsupportedError):
        sample(blocks, KEY, Broken(), SamplingPlan(), True)  # type: ignore[arg-type]
    assert (blocks.open, blocks.opened_times) == (0, 1)


def test_typical_is_the_mean_of_the_lower_half() -> None:
    assert typical([3.0, 1.0, 100.0, 2.0]) == 1.5
    assert typical([3.0, 1.0, 2.0]) == 1.5
    assert typical([7.0]) == 7.0


def read(rounds: list[float], yardstick: float) -> Readings:
    return Readings(rounds, {n: [yardstick] * len(rounds) for n in KERNELS}, 1, 1.0)


def test_a_disturbed_pass_does_not_move_the_figure() -> None:
    calm = [read([1.0, 1.0, 1.0], 0.5)] * 3
    assert normalised([*calm, read([9.0, 9.0, 9.0], 0.5)]) == pytest.approx(normalised(calm))
    assert normalised(calm)["all"] == pytest.approx(2.0)


def test_a_composite_is_the_geometric_mean_of_its_kernels() -> None:
    one = Readings([1.0], {n: [2.0**i] for i, n in enumerate(KERNELS)}, 1, 1.0)
    found = normalised([one])
    for name, parts in COMPOSITES.items():
        assert found[name] == pytest.approx(math.prod(found[p] for p in parts) ** (1 / len(parts)))


def test_figures_of_a_launch() -> None:
    launch = launch_of([read([0.001, 0.002], 1.0), read([0.003, 0.004], 1.0)])
    assert launch.rounds == 4 and launch.seconds == pytest.approx(0.0025)
    assert launch.quantiles == sorted(launch.quantiles) and launch.first_call == 1.0
