"""The clock that calls on a device are timed by: the host's on a CPU, events or a graph on a GPU."""

from __future__ import annotations

from typing import Literal

import torch

from mpcheck._cuda import CUDA, CudaApi
from mpcheck._errors import InputError
from mpcheck.bench.gpu.api import Allocate, allocate
from mpcheck.bench.gpu.events import EventTimer
from mpcheck.bench.gpu.graph import GraphTimer
from mpcheck.bench.work.hostclock import HostClock, Timer


def choose_timer(
    device: torch.device, kind: Literal["events", "graph"] = "events", *, flush_l2: bool = False, api: CudaApi = CUDA, allocate: Allocate = allocate
) -> Timer:
    """The clock that a device's calls are timed by; on a CPU always the host's.

    Raises:
        InputError: neither a CPU nor a CUDA device, or a graph with the L2 cache flushed between its calls.
        UnsupportedError: no such CUDA device.
    """
    if device.type == "cpu":
        return HostClock()
    if device.type != "cuda":
        raise InputError(f"no timer for device {device}; choose cpu, cuda or cuda:N")
    if kind == "graph":
        if flush_l2:
            raise InputError("a CUDA graph is timed as a whole, so the L2 cache cannot be flushed between its calls; flush with event timing")
        return GraphTimer(device, api=api, allocate=allocate)
    return EventTimer(device, flush_l2, api=api, allocate=allocate)
