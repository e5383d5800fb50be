"""Sample one benchmark in one process: rounds of calls between readings of the yardstick."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np

from mpcheck.bench.figures import QUANTILES, Launch
from mpcheck.bench.gpu.rounds import judged_rounds
from mpcheck.bench.keys import BenchKey
from mpcheck.bench.timers import Timer
from mpcheck.bench.workloads import Workload, Workloads
from mpcheck.bench.yardstick import kernels

ALL = "all"
"""The yardstick that a normalised figure uses: the geometric mean of its kernels. Measured over 18 processes on a busy machine, a
block's median varied by 4.0 % between processes, its ratio to one kernel by 2.2 to 3.9 %, its ratio to their mean by 1.5 %."""


@dataclass(frozen=True)
class Plan:
    """How much to sample.

    Attributes:
        opens: how often the workload is set up anew, its tensors allocated again: where memory happens to lie moves a time by
            percents and stays for as long as it lies there.
        rounds: of each; fewer where they would take more than ``seconds`` in all, never fewer than 3.
        target: seconds that the calls of one round take together.
        warmup: calls before anything is timed: TorchScript compiles in its first ones.
    """

    opens: int = 3
    rounds: int = 8
    seconds: float = 0.6
    target: float = 1e-3
    warmup: int = 5


@dataclass(frozen=True)
class Readings:
    """What was read of one benchmark in one process.

    Attributes:
        opens: per set-up, seconds of one call in each round.
        yardstick: per set-up and kernel, its seconds in the same rounds.
    """

    opens: list[list[float]]
    yardstick: list[dict[str, list[float]]]
    calls: int
    first_call: float

    @property
    def seconds(self) -> list[float]:
        """Of one call, over all rounds."""
        return [x for rounds in self.opens for x in rounds]

    def launch(self) -> Launch:
        """The launch's figures."""
        quantiles = [float(q) for q in np.quantile(self.seconds, QUANTILES)]
        return Launch(
            quantiles=quantiles,
            normalised=normalised(self.opens, self.yardstick),
            rounds=len(self.seconds),
            calls=self.calls,
            first_call=self.first_call,
        )


def typical(values: Sequence[float]) -> float:
    """The mean of the lower half: what disturbs a round only ever makes it longer."""
    ordered = sorted(values)
    return math.fsum(ordered[: (len(ordered) + 1) // 2]) / ((len(ordered) + 1) // 2)


def normalised(opens: Sequence[Sequence[float]], yardstick: Sequence[Mapping[str, Sequence[float]]]) -> dict[str, float]:
    """A call's seconds in units of each kernel's, and of their geometric mean; the median over the set-ups."""
    logs: dict[str, list[float]] = {}
    for rounds, readings in zip(opens, yardstick, strict=True):
        block = math.log(typical(rounds))
        own = {name: math.log(typical(values)) for name, values in readings.items()}
        for name, value in {**own, ALL: math.fsum(own.values()) / len(own)}.items():
            logs.setdefault(name, []).append(block - value)
    return {name: math.exp(float(np.median(values))) for name, values in logs.items()}


def calls_of(timer: Timer, workload: Workload, target: float) -> int:
    """Calls that take about ``target`` seconds together."""
    once = min(timer.seconds(workload.call, 1) for _ in range(3))
    return max(1, min(1000, int(target / once)))


def sample(workloads: Workloads, key: BenchKey, timer: Timer, plan: Plan) -> Readings:
    """One benchmark's rounds.

    Raises:
        UnsupportedError: it cannot run here.
        InputError: the clock is broken, or the GPU throttled in more than half of the rounds; those in which it did are left out.
    """
    opens: list[list[float]] = []
    yardstick: list[dict[str, list[float]]] = []
    calls, first = 0, 0.0
    for opened in range(plan.opens):
        with workloads.opened(key) as workload:
            ruler = kernels(workload.device)
            for _ in range(plan.warmup if not opened else 3):
                workload.call()
            for kernel in ruler.values():
                timer.seconds(kernel, 1)
            if not opened:
                calls, first = calls_of(timer, workload, plan.target), workload.first_call
            rounds: list[float] = []
            readings: dict[str, list[float]] = {name: [] for name in ruler}
            spent = 0.0
            with judged_rounds(workload.device) as judged:
                while len(rounds) < plan.rounds and (spent < plan.seconds / plan.opens or len(rounds) < 3):
                    with judged.round():
                        for name, kernel in ruler.items():
                            readings[name].append(timer.seconds(kernel, 1))
                        workload.call()  # brings its data back into the caches, where the yardstick's are
                        rounds.append(timer.seconds(workload.call, calls) / calls)
                    spent += rounds[-1] * calls
                kept = judged.kept()
            opens.append([rounds[i] for i in kept])
            yardstick.append({name: [values[i] for i in kept] for name, values in readings.items()})
    return Readings(opens, yardstick, calls, first)
