"""Time of the kernels themselves, by torch's profiler, and whether a timer agrees with it."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterable
from contextlib import AbstractContextManager
from dataclasses import dataclass
from typing import Any

import torch

from mpcheck._cuda import CUDA, CudaApi
from mpcheck._errors import InputError, error_line
from mpcheck.bench.gpu.api import checked
from mpcheck.bench.work.hostclock import positive
from mpcheck.bench.work.workload import UnsupportedError

MICROSECOND = 1e-6
TOLERANCE = 0.03
Profile = Callable[[], AbstractContextManager[Any]]


@dataclass(frozen=True)
class KernelTimes:
    """What ran on the device, per call: kernels, copies and fills.

    Attributes:
        seconds: sum of durations.
        busy: seconds in which at least one ran; less than ``seconds`` where streams overlap.
        count: how many.
    """

    seconds: float
    busy: float
    count: float


@dataclass(frozen=True)
class Agreement:
    """A timer's seconds against the kernels'.

    Attributes:
        ratio: timer over kernels.
        holds: whether they differ by no more than the tolerance.
        reason: in words, with both figures.
    """

    ratio: float
    holds: bool
    reason: str


def profile_device() -> AbstractContextManager[Any]:
    """CUDA activity only: host events would slow the launches down and say nothing here."""
    return torch.profiler.profile(activities=[torch.profiler.ProfilerActivity.CUDA])


def device_intervals(events: Iterable[Any], index: int) -> list[tuple[float, float]]:
    """Begin and end, in seconds, of what ran on one device, in order; ranges that a user annotated are no work."""
    intervals = []
    for event in events:
        if not str(getattr(event, "device_type", "")).endswith("CUDA") or getattr(event, "is_user_annotation", False):
            continue
        if getattr(event, "device_index", index) != index:
            continue
        intervals.append((event.time_range.start * MICROSECOND, event.time_range.end * MICROSECOND))
    return sorted(intervals)


def covered(intervals: Iterable[tuple[float, float]]) -> float:
    """Length of the union of intervals given in order of their beginnings."""
    total, reached = 0.0, -math.inf
    for begin, end in intervals:
        if end > reached:
            total += end - max(begin, reached)
            reached = end
    return total


def kernel_times(call: Callable[[], Any], calls: int, device: torch.device, *, api: CudaApi = CUDA, profile: Profile = profile_device) -> KernelTimes:
    """Durations of the kernels of ``calls`` calls, each over the number of calls.

    Raises:
        InputError: no calls.
        UnsupportedError: no such device, or the profiler saw nothing run on it.
    """
    if calls < 1:
        raise InputError(f"{calls} calls cannot be profiled; give 1 or more")
    device = checked(device, api)
    with api.device(device):
        api.synchronize(device)
        try:
            with profile():  # the first profile of a process starts the tracing library, seconds for the first kernel
                call()
                api.synchronize(device)
            with profile() as seen:
                for _ in range(calls):
                    call()
                api.synchronize(device)
        except RuntimeError as error:
            raise UnsupportedError(f"cannot be profiled: {error_line(error)}") from error
    intervals = device_intervals(seen.events() or (), int(device.index))
    total = math.fsum(end - begin for begin, end in intervals)
    if not total > 0:
        raise UnsupportedError(f"the profiler saw no kernel on {device}: another profiler holds it, the driver forbids it, or no work is queued")
    return KernelTimes(total / calls, covered(intervals) / calls, len(intervals) / calls)


def agreement(measured: float, kernels: float, tolerance: float = TOLERANCE) -> Agreement:
    """Whether a timer's seconds per call agree with the kernels' seconds per call.

    They must for a call of long kernels. For one of many short kernels the events hold the gaps between them too, about a
    microsecond each in a graph and a launch's time without one: disagreement then says that the call is bound by launches.

    Raises:
        InputError: a time that is not positive and finite.
    """
    positive(measured=measured, kernel=kernels)
    ratio = measured / kernels
    holds = abs(ratio - 1) <= tolerance
    text = f"{measured * 1e6:.4g} us measured, {kernels * 1e6:.4g} us in kernels, {abs(ratio - 1):.1%} apart (limit {tolerance:.1%})"
    if not holds:
        text += ": gaps between kernels" if ratio > 1 else ": kernels overlap, or run outside the timed stream"
    return Agreement(ratio, holds, text)
