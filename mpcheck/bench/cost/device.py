"""What one call costs on a CUDA device: kernels by name, waits of the host, memory of the caching allocator."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from typing import Any

import torch
from torch._C._autograd import DeviceType
from torch.profiler import ProfilerActivity, profile

from mpcheck._cuda import CUDA

WAITS = ("cudaStreamSynchronize", "cudaDeviceSynchronize", "cudaEventSynchronize", "cudaMemcpy", "cuStreamSynchronize", "cuCtxSynchronize")
COPIES = ("Memcpy", "Memset")


@dataclass(frozen=True)
class DeviceCost:
    """Kernels and copies by name, how many of them are kernels, and the runtime's calls that wait, by name."""

    kernels: dict[str, int]
    launches: int
    syncs: dict[str, int]


def _profiled(call: Callable[[], Any], device: torch.device) -> tuple[Counter[str], Counter[str]]:
    CUDA.synchronize(device)
    with profile(activities=[ProfilerActivity.CPU, ProfilerActivity.CUDA]) as recorded:
        call()
        CUDA.synchronize(device)
    return tally(recorded.events() or [])


def tally(events: Iterable[Any]) -> tuple[Counter[str], Counter[str]]:
    """Of the profiler's events: what ran on the device, and what the host waited in, by name."""
    events = list(events)
    kernels = Counter(e.name for e in events if e.device_type == DeviceType.CUDA and not e.is_user_annotation)
    waits = Counter(e.name for e in events if e.device_type == DeviceType.CPU and e.name in WAITS)
    return kernels, waits


def device_cost(call: Callable[[], Any], device: torch.device) -> DeviceCost:
    """Kernels and waits of one call. The profiler's own waits, and that for the end, are those of a call of nothing."""
    kernels, waits = _profiled(call, device)
    idle_kernels, idle_waits = _profiled(lambda: None, device)
    return beyond_idle(kernels, waits, idle_kernels, idle_waits)


def beyond_idle(kernels: Counter[str], waits: Counter[str], idle_kernels: Counter[str], idle_waits: Counter[str]) -> DeviceCost:
    """What a call did that a call of nothing does not; copies and fills by the driver are listed, but are no launches of kernels."""
    kernels, waits = kernels - idle_kernels, waits - idle_waits
    launches = sum(n for name, n in kernels.items() if not name.startswith(COPIES))
    return DeviceCost(dict(sorted(kernels.items())), launches, dict(sorted(waits.items())))


def peak_on_device(call: Callable[[], Any], device: torch.device) -> int:
    """Bytes that the caching allocator handed out at one time during a call, beyond what was in use before it."""
    CUDA.synchronize(device)
    before = CUDA.memory_allocated(device)
    CUDA.reset_peak_memory_stats(device)
    result = call()
    CUDA.synchronize(device)
    peak = CUDA.max_memory_allocated(device) - before
    del result
    return max(0, int(peak))
