"""A launch whose blocks can be made slower by a stated share, by real work inside their own forward; for benchmarks/gate_power.py."""

from __future__ import annotations

import math
import os
import statistics
import sys
import time
from typing import Any

import torch

from mpcheck.bench.keys import MODEL
from mpcheck.bench.launch import worker

INSIDE_MODEL = "interactions.1.conv_tp"  # where the whole model is slowed


class SlowedWorker(worker.Worker):
    """Adds ``slow`` and ``rounds`` to the requests."""

    def __init__(self) -> None:
        super().__init__()
        self.handle: Any = None
        self.speeds: dict[str, tuple[float, float]] = {}

    def slow(self, key: str, share: float) -> dict[str, Any]:
        """Make a benchmark's block do extra tensor work worth ``share`` of its own time, at every call.

        With 0 it does one operation, from the same hook: what is compared differs in nothing but the amount of work.
        """
        benchmark = self._key(key)
        self._hook(benchmark, 0)
        if key not in self.speeds:
            self.speeds[key] = self._speed(benchmark)
        seconds, once = self.speeds[key]
        operations = round(share * seconds / once)
        self._hook(benchmark, operations)
        return {"operations": operations, "seconds": seconds, "once": once}

    def _speed(self, key: Any) -> tuple[float, float]:
        """Seconds of one call of the benchmark, and of one of the operations that make it slower, both in their steady state."""
        short = torch.zeros(64)
        with self.workloads.opened(key) as workload:
            for _ in range(5):
                workload.call()
            calls = max(1, int(1e-3 / min(self.timer.seconds(workload.call, 1) for _ in range(3))))
            seconds, once = [], []
            for _ in range(9):
                seconds.append(self.timer.seconds(workload.call, calls) / calls)
                once.append(self.timer.seconds(lambda: torch.add(short, short), 100) / 100)
        return statistics.median(seconds), statistics.median(once)

    def _hook(self, key: Any, operations: int) -> None:
        if self.handle is not None:
            self.handle.remove()
        backend = self.workloads.backend(key.backend)
        name = INSIDE_MODEL if key.subject == MODEL else key.subject
        module = backend.module(self.workloads.arguments(key.system, key.batch).blocks[name][0])
        short = torch.zeros(64)

        def work(*_: Any) -> None:
            for _ in range(1 + operations):  # the first one, whose code is not in the caches yet, is in the identical code, too
                torch.add(short, short)

        self.handle = module.register_forward_hook(work)

    def rounds(self, key: str, seconds: float) -> dict[str, Any]:
        """What pytest-benchmark's fixture would read: wall-clock rounds of one call for ``seconds``, at least five."""
        with self.workloads.opened(self._key(key)) as workload:
            workload.call()
            began = time.perf_counter()
            workload.call()
            count = max(5, math.ceil(seconds / (time.perf_counter() - began)))
            read = []
            for _ in range(count):
                began = time.perf_counter()
                workload.call()
                read.append(time.perf_counter() - began)
        return {"mean": statistics.fmean(read), "median": statistics.median(read), "min": min(read)}


def main() -> None:
    """As the worker's own main, with two requests more."""
    worker.COMMANDS = (*worker.COMMANDS, "slow", "rounds")
    worker.Worker = SlowedWorker  # type: ignore[misc]
    answers = os.fdopen(os.dup(1), "w", encoding="utf-8")
    os.dup2(2, 1)
    worker.serve(sys.stdin, answers)


if __name__ == "__main__":
    main()
