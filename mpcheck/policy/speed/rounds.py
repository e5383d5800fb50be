"""Rounds of calls in one process: every candidate once in each, in an order that changes from round to round."""

from __future__ import annotations

import gc
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np

from mpcheck._garbage import no_collection
from mpcheck.bench.timing.sampling import LONG
from mpcheck.bench.work.hostclock import HostClock, Timer

FEWEST, MOST = 3, 200


@dataclass(frozen=True)
class RoundPlan:
    """How much one process samples.

    Attributes:
        seconds: of calls of all candidates together; 3 to 200 rounds, by how long one takes.
        warmup: calls of each before, at least one: TorchScript watches two and compiles in the third.
        seed: of the orders.
    """

    seconds: float = 8.0
    warmup: int = 4
    seed: int = 0


@dataclass(frozen=True)
class Rounds:
    """What one process read.

    Attributes:
        seconds: of one call, round by round, by candidate; the same rounds for all.
        waiting: share of the time in which others ran on the processor; 0 where nobody can tell.
    """

    seconds: dict[str, list[float]]
    waiting: float = 0.0


def interleaved(calls: Mapping[str, Callable[[], Any]], timer: Timer, plan: RoundPlan) -> Rounds:
    """Seconds of one call of each, round by round.

    What slows the machine for a while slows all of them. A short call is made twice and timed the second time: the first brings its data back
    into the caches, where another candidate's are, and a step of molecular dynamics follows a step of the same.

    Args:
        timer: the device's clock, see :func:`mpcheck.bench.timing.timers.choose_timer`.

    Raises:
        ClockError: the clock is broken.
    """
    names, once = list(calls), dict[str, float]()
    for name, call in calls.items():
        for _ in range(plan.warmup - 1):
            call()
        once[name] = timer.seconds(call, 1)
    twice = [name for name in names if once[name] < LONG]
    round_takes = sum(once.values()) + sum(once[name] for name in twice)
    rounds = int(min(MOST, max(FEWEST, plan.seconds / round_takes))) if names else 0
    generator, seconds = np.random.default_rng(plan.seed), {name: list[float]() for name in names}
    before = _clock(timer)
    gc.collect()
    with no_collection():
        for _ in range(rounds):
            for place in generator.permutation(len(names)):
                name = names[place]
                if name in twice:
                    calls[name]()
                seconds[name].append(timer.seconds(calls[name], 1))
    waited, timed = (now - then for now, then in zip(_clock(timer), before, strict=True))
    return Rounds(seconds, min(1.0, waited / timed) if timed else 0.0)


def _clock(timer: Timer) -> tuple[float, float]:
    """Seconds on the run queue, and of wall time, of all that a host's clock has timed; zeros of another clock."""
    return (timer.waited, timer.timed) if isinstance(timer, HostClock) else (0.0, 0.0)
