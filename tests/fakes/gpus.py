"""GPUs whose boards are made up."""

from __future__ import annotations

import itertools
from collections.abc import Callable
from typing import Any

import torch

from mpcheck.bench.gpu.nvml import Gpu
from tests.fakes.nvml import Board, FakeNvml

GPU = torch.device("cuda")
POWER_CAP, SW_THERMAL, HW_THERMAL, HW_SLOWDOWN = 0x4, 0x20, 0x40, 0x8


def board(index: int = 0, **readings: Any) -> Board:
    return Board(uuid=f"{index}1111111-0000-0000-0000-000000000000", pci=f"00000000:{index:02x}:00.0", **readings)


def fake_gpu(nvml: FakeNvml, clock: Callable[[], float] = lambda: 0.0, mig: bool = False) -> Gpu:
    nvml.opened += 1
    return Gpu(0, 0, mig, nvml, clock)


def ticking(step: float = 1.0) -> Callable[[], float]:
    count = itertools.count()
    return lambda: next(count) * step
