"""Seconds of calls on a GPU, by pairs of events."""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import Any

import torch

from mpcheck._cuda import CUDA, CudaApi, TimingEvent
from mpcheck.bench.gpu.api import Allocate, Scratch, allocate, checked
from mpcheck.bench.work.hostclock import ClockError, counted

MILLISECOND = 1e-3
L2_MARGIN = 2
"""How often the L2 cache's size is written to clear it: once would leave what replacement happens to spare."""
L2_UNKNOWN = 128 << 20
"""Bytes written where the device does not tell its L2's size; more than any GPU of today has."""


class L2Flush:
    """Evicts a device's L2 cache by writing more than it holds."""

    def __init__(self, device: torch.device, api: CudaApi = CUDA, allocate: Allocate = allocate) -> None:
        """Takes twice the cache's size, once."""
        size = int(getattr(api.get_device_properties(device), "L2_cache_size", 0) or 0)
        self.bytes = L2_MARGIN * size if size else L2_UNKNOWN
        self._scratch: Scratch = allocate(self.bytes, device)

    def __call__(self) -> None:
        """Queue the write on the current stream."""
        self._scratch.zero_()


class EventTimer:
    """A pair of CUDA events around each call, on the current stream.

    The time between them is the device's, from the end of what was queued before to the end of the call. It holds the gaps in
    which the device waits for the host to launch, so a call of many small kernels measures the host; :class:`GraphTimer` leaves
    them out. With ``flush_l2`` the L2 cache is overwritten before each call, outside its pair; the host launches ahead while
    the device writes, so less of the gaps is seen: compare flushed figures with flushed ones only.
    """

    def __init__(self, device: torch.device, flush_l2: bool = False, *, api: CudaApi = CUDA, allocate: Allocate = allocate) -> None:
        """Raises:
        UnsupportedError: no such device.
        """
        self.device = checked(device, api)
        self._api = api
        self._flush = L2Flush(self.device, api, allocate) if flush_l2 else None
        self._made: list[tuple[TimingEvent, TimingEvent]] = []

    def seconds(self, call: Callable[[], Any], calls: int) -> float:
        """Sum over ``calls`` calls of the seconds between each one's events; the host waits once, at the end.

        Raises:
            InputError: no calls.
            ClockError: the events give no positive time.
        """
        api, flush = self._api, self._flush
        with api.device(self.device):
            pairs = self._events(counted(calls))
            for begin, end in pairs:
                if flush is not None:
                    flush()
                begin.record()
                call()
                end.record()
            api.synchronize(self.device)  # an event not yet completed has no time
            total = math.fsum(begin.elapsed_time(end) for begin, end in pairs) * MILLISECOND
        if not 0 < total < math.inf:
            raise ClockError(f"the events of {self.device} give {total:g} s for {calls} calls; measure a call that queues work on that device")
        return total

    def _events(self, count: int) -> list[tuple[TimingEvent, TimingEvent]]:
        """Pairs, made once: torch makes an event when it is first recorded, which would be host time between a pair's two."""
        while len(self._made) < count:
            pair = (self._api.Event(enable_timing=True), self._api.Event(enable_timing=True))
            for event in pair:
                event.record()
            self._made.append(pair)
        return self._made[:count]
