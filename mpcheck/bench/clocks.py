"""Which clock times a device."""

from __future__ import annotations

import torch

from mpcheck.bench.hostclock import HostClock
from mpcheck.bench.timers import EventTimer, Timer


def clock_of(device: torch.device) -> Timer:
    """The host's clock without the scheduler's share on a CPU; pairs of events on CUDA."""
    return EventTimer(device) if device.type == "cuda" else HostClock()
