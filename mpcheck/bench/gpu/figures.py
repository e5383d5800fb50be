"""Everything a GPU tells of one call, measured in one go within a budget of time."""

from __future__ import annotations

import statistics
import time
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import pynvml
import torch

from mpcheck._cuda import CUDA, CudaApi
from mpcheck._errors import InputError
from mpcheck.bench.gpu.api import Allocate, allocate, checked
from mpcheck.bench.gpu.events import EventTimer
from mpcheck.bench.gpu.graph import GraphTimer, launch_share
from mpcheck.bench.gpu.kernels import Agreement, KernelTimes, Profile, agreement, kernel_times, profile_device
from mpcheck.bench.gpu.state import INTERVAL, Conditions, GpuWatch, watching
from mpcheck.bench.work.hostclock import Timer
from mpcheck.bench.work.workload import UnsupportedError

ROUNDS = 5
MAX_CALLS = 10_000
SHARES = {"events": 0.2, "cold": 0.15, "graph": 0.15, "kernels": 0.1, "energy": 0.4}
"""Of the budget. Energy takes most of it: its counter moves every 20 to 100 ms, by device."""


@dataclass(frozen=True)
class DeviceFigures:
    """One call on a GPU. Seconds are per call.

    Attributes:
        event_seconds: between events, the L2 cache as the call before left it; cold_seconds: the L2 cache cleared before each call.
        graph_seconds: replayed from a CUDA graph, without launches; None with graph_reason.
        kernels: durations by the profiler; None with kernels_reason.
        launch_share: of event_seconds, spent waiting for launches; None without graph_seconds.
        agrees: graph_seconds, else event_seconds, against the kernels' sum.
        joules: of the whole board, idle power in it; None where joules_reason says why.
        conditions: the GPU's clocks over all of it; None with conditions_reason.
        peak_bytes: most memory held at once by torch's allocator, beyond what was held before the call.
    """

    event_seconds: float
    cold_seconds: float
    graph_seconds: float | None
    graph_reason: str
    kernels: KernelTimes | None
    kernels_reason: str
    launch_share: float | None
    agrees: Agreement | None
    joules: float | None
    joules_reason: str
    conditions: Conditions | None
    conditions_reason: str
    peak_bytes: int

    @property
    def device_seconds(self) -> float | None:
        """What the device itself works: the graph's time, else the sum of kernels; None where neither is available."""
        return self.graph_seconds if self.graph_seconds is not None else self.kernels.seconds if self.kernels is not None else None


@dataclass
class DeviceBench:
    """The device, and what measures it. ``interval``: of the thread that samples its state; None where there is no such thread."""

    device: torch.device
    api: CudaApi
    clock: Callable[[], float]
    interval: float | None

    def calls(self, run: Callable[[int], object], seconds: float) -> int:
        """How many calls fill the seconds, by the host's clock over a few."""
        run(1)
        began = self.clock()
        run(3)
        each = max((self.clock() - began) / 3, 1e-7)
        return max(1, min(MAX_CALLS, int(seconds / each)))

    def per_call(self, timer: Timer, call: Callable[[], Any], seconds: float) -> float:
        """Median over rounds."""
        calls = self.calls(lambda n: timer.seconds(call, n), seconds / ROUNDS)
        return statistics.median(timer.seconds(call, calls) / calls for _ in range(ROUNDS))

    def peak(self, call: Callable[[], Any]) -> int:
        """Bytes beyond those held before; torch's own peak counter starts anew."""
        self.api.synchronize(self.device)
        self.api.reset_peak_memory_stats(self.device)
        held = self.api.memory_allocated(self.device)
        kept = call()  # its results belong to it
        self.api.synchronize(self.device)
        del kept
        return max(0, self.api.max_memory_allocated(self.device) - held)

    def joules(self, call: Callable[[], Any], seconds: float, watch: GpuWatch | str) -> tuple[float | None, str]:
        """Energy per call over a window full of calls."""
        if isinstance(watch, str):
            return None, watch

        def run(calls: int) -> None:
            for _ in range(calls):
                call()
            self.api.synchronize(self.device)

        batch = self.calls(run, min(seconds / 10, INTERVAL))
        done, first = 0, watch.sample()
        while self.clock() - first.at < seconds:
            run(batch)
            done += batch
            if self.interval is None:  # else the thread does, while the device works
                watch.sample()
        last = watch.sample()
        drawn = watch.conditions(first.at, last.at)
        return (None if drawn.joules is None or not done else drawn.joules / done), drawn.joules_reason


def measure_device(
    call: Callable[[], Any],
    device: torch.device,
    seconds_budget: float,
    *,
    api: CudaApi = CUDA,
    nvml: Any = pynvml,
    clock: Callable[[], float] = time.perf_counter,
    profile: Profile = profile_device,
    allocate: Allocate = allocate,
    interval: float | None = INTERVAL,
) -> DeviceFigures | None:
    """Measure a call that queues work on a device, for about as many seconds; None on a CPU, where there is nothing of it to tell.

    Warmed up by the caller: what is compiled at the first call is not meant to be measured here.

    Raises:
        InputError: a budget that is not positive, a clock that cannot time, or a GPU that a failed graph capture spoiled.
        UnsupportedError: no such CUDA device.
    """
    if device.type == "cpu":
        return None
    if not seconds_budget > 0:
        raise InputError(f"a budget of {seconds_budget} s: give a positive number of seconds")
    device = checked(device, api)
    bench, share = DeviceBench(device, api, clock, interval), {name: part * seconds_budget for name, part in SHARES.items()}
    with api.device(device), watching(device, interval=interval, cuda=api, api=nvml, clock=clock) as watch:
        call()
        peak = bench.peak(call)
        events = bench.per_call(EventTimer(device, api=api), call, share["events"])
        cold = bench.per_call(EventTimer(device, True, api=api, allocate=allocate), call, share["cold"])
        joules, joules_reason = bench.joules(call, share["energy"], watch)
        # the two that may fail come last: a failed capture empties torch's cache of memory
        kernels, kernels_reason = _kernels(bench, call, int(share["kernels"] / events), profile)
        graph, graph_reason = _graph(bench, call, share["graph"], allocate)
        conditions = None if isinstance(watch, str) else watch.conditions()
    return DeviceFigures(
        event_seconds=events,
        cold_seconds=cold,
        graph_seconds=graph,
        graph_reason=graph_reason,
        kernels=kernels,
        kernels_reason=kernels_reason,
        launch_share=None if graph is None else launch_share(graph, events),
        agrees=None if kernels is None else agreement(events if graph is None else graph, kernels.seconds),
        joules=joules,
        joules_reason=joules_reason,
        conditions=conditions,
        conditions_reason=watch if isinstance(watch, str) else "",
        peak_bytes=peak,
    )


def _kernels(bench: DeviceBench, call: Callable[[], Any], calls: int, profile: Profile) -> tuple[KernelTimes | None, str]:
    try:
        return kernel_times(call, max(3, min(50, calls)), bench.device, api=bench.api, profile=profile), ""
    except UnsupportedError as error:
        return None, str(error)


def _graph(bench: DeviceBench, call: Callable[[], Any], seconds: float, allocate: Allocate) -> tuple[float | None, str]:
    try:
        with GraphTimer(bench.device, api=bench.api, allocate=allocate) as timer:
            return bench.per_call(timer, call, seconds), ""
    except UnsupportedError as error:
        return None, str(error)
