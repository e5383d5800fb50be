"""Sample one benchmark in one process: rounds of calls between readings of the yardstick."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from mpcheck.bench.figures import QUANTILES, Launch
from mpcheck.bench.gpu.rounds import judged_rounds
from mpcheck.bench.keys import BenchKey
from mpcheck.bench.timing.yardstick import KERNELS, kernels
from mpcheck.bench.work.hostclock import HostClock, Timer
from mpcheck.bench.work.workload import Workload
from mpcheck.bench.work.workloads import Workloads

COMPOSITES = {"all": tuple(KERNELS), "light": tuple(k for k in KERNELS if k != "message")}
"""Yardsticks that are geometric means of kernels. Measured over 33 launches on a busy machine, a block's median varied by 0.9 to 6 %
between launches, in units of its best yardstick by 1.6 to 3 %: small blocks go with matmul, large ones with a mean."""


LONG = 0.01
"""Seconds of a call that is its own warm-up: what a cold cache costs at its beginning is no longer to be seen in it."""


@dataclass(frozen=True)
class SamplingPlan:
    """How much to sample.

    Attributes:
        passes: how often each benchmark is set up anew and sampled, all benchmarks between one pass and the next. What disturbs a
            machine lasts tenths of seconds, and where memory happens to lie moves a time by percents for as long as it lies
            there: rounds in a row share both.
        rounds: of each pass; fewer where they would take more than ``seconds`` in all, never fewer than 3.
        target: seconds that the calls of one round take together.
        warmup: calls before anything is timed in the first pass: TorchScript compiles in its first ones.
    """

    passes: int = 4
    rounds: int = 6
    seconds: float = 0.6
    target: float = 1e-3
    warmup: int = 5


@dataclass(frozen=True)
class Readings:
    """What was read of one benchmark in one pass of one process.

    Attributes:
        rounds: seconds of one call in each.
        yardstick: per kernel, its seconds in the same rounds.
        calls: in each round; first_call: seconds of the first one after the setting-up.
        waiting: share of the time in which others ran on the processor.
    """

    rounds: list[float]
    yardstick: dict[str, list[float]]
    calls: int
    first_call: float
    waiting: float = 0.0


def launch_of(passes: Sequence[Readings], first_call: float | None = None) -> Launch:
    """A launch's figures from its passes.

    Args:
        first_call: seconds of the first call in the process, where it was made before the passes.
    """
    seconds = [x for readings in passes for x in readings.rounds]
    return Launch(
        quantiles=[float(q) for q in np.quantile(seconds, QUANTILES)],
        normalised=normalised(passes),
        rounds=len(seconds),
        calls=passes[0].calls,
        first_call=passes[0].first_call if first_call is None else first_call,
        waiting=math.fsum(readings.waiting for readings in passes) / len(passes),
    )


def typical(values: Sequence[float]) -> float:
    """The mean of the lower half: what disturbs a round only ever makes it longer."""
    ordered = sorted(values)
    return math.fsum(ordered[: (len(ordered) + 1) // 2]) / ((len(ordered) + 1) // 2)


def normalised(passes: Sequence[Readings]) -> dict[str, float]:
    """A call's seconds in units of each yardstick; the median over the passes."""
    logs: dict[str, list[float]] = {}
    for readings in passes:
        block = math.log(typical(readings.rounds))
        own = {name: math.log(typical(values)) for name, values in readings.yardstick.items()}
        own |= {name: math.fsum(own[k] for k in parts) / len(parts) for name, parts in COMPOSITES.items()}
        for name, value in own.items():
            logs.setdefault(name, []).append(block - value)
    return {name: math.exp(float(np.median(values))) for name, values in logs.items()}


def seconds_of(timer: Timer, workload: Workload) -> float:
    """About how long one call takes: the shortest of three, or a long one's only one."""
    once = timer.seconds(workload.call, 1)
    return once if once > LONG else min(once, *(timer.seconds(workload.call, 1) for _ in range(2)))


def sample(workloads: Workloads, key: BenchKey, timer: Timer, plan: SamplingPlan, first: bool) -> Readings:
    """One pass over a benchmark.

    Args:
        first: of this process's passes over it.

    Raises:
        UnsupportedError: it cannot run here.
        InputError: the clock is broken, or the GPU throttled in more than half of the rounds; those in which it did are left out.
    """
    with workloads.opened(key) as workload:
        ruler = kernels(workload.device)
        for _ in range(plan.warmup if first else 3 if workload.first_call < LONG else 1):
            workload.call()
        for kernel in ruler.values():
            timer.seconds(kernel, 1)
        once = seconds_of(timer, workload)
        calls = max(1, min(1000, int(plan.target / once)))
        rounds: list[float] = []
        readings: dict[str, list[float]] = {name: [] for name in ruler}
        spent = 0.0
        waited, timed = _waiting(timer)
        with judged_rounds(workload.device) as judged:
            while len(rounds) < plan.rounds and (spent < plan.seconds / plan.passes or len(rounds) < 3):
                with judged.round():
                    for name, kernel in ruler.items():
                        readings[name].append(timer.seconds(kernel, 1))
                    if once < LONG:
                        workload.call()  # brings its data back into the caches, where the yardstick's are
                    rounds.append(timer.seconds(workload.call, calls) / calls)
                spent += rounds[-1] * calls
            kept = judged.kept()
        waited, timed = (now - before for now, before in zip(_waiting(timer), (waited, timed), strict=True))
        share = min(1.0, waited / timed) if timed else 0.0
        return Readings([rounds[i] for i in kept], {n: [v[i] for i in kept] for n, v in readings.items()}, calls, workload.first_call, share)


def _waiting(timer: Timer) -> tuple[float, float]:
    """Seconds on the run queue, and of wall time, of all that a host's clock has timed; zeros of another clock."""
    return (timer.waited, timer.timed) if isinstance(timer, HostClock) else (0.0, 0.0)
