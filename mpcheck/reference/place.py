"""Where references are made: on the device that is judged, or on its host."""

from __future__ import annotations

import torch

from mpcheck._cuda import CUDA
from mpcheck._names import DEVICE, HOST

FAST_FLOAT64 = frozenset({(6, 0), (7, 0), (8, 0), (9, 0), (10, 0)})
"""Compute capabilities that do half as many float64 operations in a clock as float32 ones; the others do a 32nd or less
(CUDA C++ Programming Guide, "Throughput of native arithmetic instructions")."""


def place_of(device: torch.device, asked: str = "") -> torch.device:
    """The device on which references are made.

    References are float64 throughout. A GPU that computes it slowly makes them slower than its host does, and what a host makes is the same for
    every device: one cache serves them all. The choice depends on the kind of GPU and not on a measurement, so that it is the same every time;
    ``mpcheck survey`` measures both.

    Args:
        asked: ``host`` or ``device``; empty to choose by the kind of GPU.
    """
    if device.type != "cuda" or asked == DEVICE:
        return device
    if asked == HOST or not CUDA.is_available():
        return torch.device("cpu")
    return device if CUDA.get_device_capability(device) in FAST_FLOAT64 else torch.device("cpu")
