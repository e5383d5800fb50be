"""Timers, on clocks and devices of our own."""

from __future__ import annotations

import os
import time
from collections.abc import Callable
from itertools import count
from pathlib import Path

import pytest

from mpcheck._errors import InputError
from mpcheck.bench.work.hostclock import ClockError, HostClock
from tests.fakes.cuda import FakeCuda, launches
from tests.fakes.timers import event_timer, graph_timer


def readings(*values: int) -> Callable[[], int]:
    left = list(values)
    return lambda: left.pop(0)


def test_cpu_seconds_are_those_between_the_clock_s_readings() -> None:
    made: list[int] = []
    assert HostClock(readings(1_000, 2_500_001_000), lambda: 0, "/none").seconds(lambda: made.append(1), 4) == pytest.approx(2.5)
    assert len(made) == 4


def test_cpu_time_of_real_work_is_its_time() -> None:
    began = time.perf_counter()
    timed = HostClock().seconds(lambda: time.sleep(0.002), 5)
    assert 0.01 <= timed <= time.perf_counter() - began


@pytest.mark.parametrize(
    ("second", "said"), [(500_000_000, "the clock went backwards by 0.5 s between two readings"), (1_000_000_000, "stood still")]
)
def test_a_clock_that_cannot_time_is_an_error_line(second: int, said: str) -> None:
    with pytest.raises(ClockError, match=said) as caught:
        HostClock(readings(1_000_000_000, second), lambda: 0, "/none").seconds(lambda: None, 3)
    assert isinstance(caught.value, InputError) and "\n" not in str(caught.value)


@pytest.mark.parametrize("calls", [0, -1])
def test_no_calls_cannot_be_timed(calls: int) -> None:
    cuda = FakeCuda()
    for timer in (HostClock(), event_timer(cuda), graph_timer(cuda)):
        with pytest.raises(InputError, match=f"{calls} calls"):
            timer.seconds(launches(cuda, 1e-3), calls)


class Machine:
    """Clocks and a waiting time that a test moves by hand."""

    def __init__(self, folder: Path) -> None:
        self.wall = self.cpu = self.waited = 1_000_000
        self.file = folder / "schedstat"
        self._write()

    def _write(self) -> None:
        self.file.write_text(f"1 {self.waited} 3\n")

    def run(self, work: int, waiting: int = 0, sleeping: int = 0) -> None:
        """ns that the thread computes, is kept waiting for a processor, and sleeps."""
        self.wall += work + waiting + sleeping
        self.cpu += work
        self.waited += waiting
        self._write()

    def clock(self) -> HostClock:
        return HostClock(lambda: self.wall, lambda: self.cpu, str(self.file))


def test_time_on_the_run_queue_is_not_the_works(tmp_path: Path) -> None:
    machine = Machine(tmp_path)
    clock = machine.clock()
    assert clock.waits_known
    assert clock.seconds(lambda: machine.run(5_000_000, waiting=9_000_000), 2) == pytest.approx(0.010)


def test_sleeping_is_the_works(tmp_path: Path) -> None:
    machine = Machine(tmp_path)
    assert machine.clock().seconds(lambda: machine.run(1_000_000, waiting=2_000_000, sleeping=30_000_000)) == pytest.approx(0.031)


def test_waiting_outside_the_two_readings_of_the_wall_is_not_taken_off_the_work(tmp_path: Path) -> None:
    machine = Machine(tmp_path)
    walls = count()

    def wall() -> int:
        if next(walls) == 1:  # the scheduler strikes after the second reading of the wall clock, before that of the waiting
            machine.waited += 50_000_000
            machine._write()
        return machine.wall

    assert HostClock(wall, lambda: machine.cpu, str(machine.file)).seconds(lambda: machine.run(4_000_000)) == pytest.approx(0.004)


def test_without_the_kernels_figure_it_is_wall_time(tmp_path: Path) -> None:
    machine = Machine(tmp_path)
    clock = HostClock(lambda: machine.wall, lambda: machine.cpu, str(tmp_path / "none"))
    assert not clock.waits_known
    assert clock.seconds(lambda: machine.run(1_000_000, waiting=2_000_000)) == pytest.approx(0.003)


@pytest.mark.parametrize("step", [0, -5_000_000])
def test_a_clock_that_goes_backwards_or_stands_still_is_one_line(tmp_path: Path, step: int) -> None:
    machine = Machine(tmp_path)

    def broken() -> None:
        machine.wall += step

    with pytest.raises(InputError, match="clock"):
        machine.clock().seconds(broken)


@pytest.mark.skipif(not Path("/proc/thread-self/schedstat").exists(), reason="the platform does not tell waiting time")
def test_on_this_machine_a_loop_reads_its_own_time_while_others_crowd_the_processor() -> None:
    def loop() -> None:
        end = time.thread_time() + 0.05
        while time.thread_time() < end:
            pass

    before = os.sched_getaffinity(0)
    children = []
    try:
        os.sched_setaffinity(0, {min(before)})
        for _ in range(2):
            child = os.fork()
            if child == 0:  # two others on the same processor
                while True:
                    pass
            children.append(child)
        clock = HostClock()
        began = time.perf_counter()
        seconds = clock.seconds(loop)
        wall = time.perf_counter() - began
        clock.close()
    finally:
        for child in children:
            os.kill(child, 9)
            os.waitpid(child, 0)
        os.sched_setaffinity(0, before)
    assert wall > 1.5 * seconds, "it was in fact interrupted"
    assert seconds == pytest.approx(0.05, rel=0.2)
