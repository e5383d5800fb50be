"""Rounds of calls in one process: every candidate once in each, in an order that changes from round to round."""

from __future__ import annotations

import gc
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np

from mpcheck.bench.work.hostclock import HostClock, Timer
from mpcheck.bench.work.pinning import no_collection

FEWEST, MOST = 5, 200


@dataclass(frozen=True)
class RoundPlan:
    """How much one process samples.

    Attributes:
        seconds: of timed calls of all candidates together; 5 to 200 rounds, by how long the first takes.
        warmup: calls of each before: TorchScript watches two and compiles in the third.
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

    What slows the machine for a while slows all of them. A call before each timed one brings its data back into the caches, where another
    candidate's are: a step of molecular dynamics follows a step of the same.

    Args:
        timer: the device's clock, see :func:`mpcheck.bench.timing.timers.choose_timer`.

    Raises:
        ClockError: the clock is broken.
    """
    names, seconds = list(calls), {name: list[float]() for name in calls}
    generator = np.random.default_rng(plan.seed)
    for call in calls.values():
        for _ in range(plan.warmup):
            call()
    rounds = MOST
    before = _clock(timer)
    gc.collect()
    with no_collection():
        while len(seconds[names[0]]) < rounds if names else False:
            for place in generator.permutation(len(names)):
                name = names[place]
                calls[name]()
                seconds[name].append(timer.seconds(calls[name], 1))
            if rounds == MOST:
                rounds = int(min(MOST - 1, max(FEWEST, plan.seconds / (2 * sum(s[0] for s in seconds.values())))))
    waited, timed = (now - then for now, then in zip(_clock(timer), before, strict=True))
    return Rounds(seconds, min(1.0, waited / timed) if timed else 0.0)


def _clock(timer: Timer) -> tuple[float, float]:
    """Seconds on the run queue, and of wall time, of all that a host's clock has timed; zeros of another clock."""
    return (timer.waited, timer.timed) if isinstance(timer, HostClock) else (0.0, 0.0)
