"""The clock that fits a device."""

from __future__ import annotations

import pytest
import torch

from mpcheck._errors import InputError
from mpcheck.bench.gpu.events import EventTimer
from mpcheck.bench.gpu.graph import GraphTimer
from mpcheck.bench.timing.timers import choose_timer
from mpcheck.bench.work.hostclock import HostClock
from mpcheck.bench.work.workload import UnsupportedError
from tests.fakes.cuda import FakeCuda
from tests.fakes.timers import GPU


def test_the_timer_fits_the_device() -> None:
    cuda = FakeCuda(devices=2)
    assert isinstance(choose_timer(torch.device("cpu")), HostClock)
    assert isinstance(choose_timer(GPU, api=cuda, allocate=cuda.allocate), EventTimer)
    assert isinstance(choose_timer(GPU, "graph", api=cuda, allocate=cuda.allocate), GraphTimer)
    with pytest.raises(InputError, match="cannot be flushed"):
        choose_timer(GPU, "graph", flush_l2=True, api=cuda)
    with pytest.raises(InputError, match="choose cpu, cuda"):
        choose_timer(torch.device("meta"))
    with pytest.raises(UnsupportedError, match="no CUDA device 2: this process sees 2"):
        choose_timer(torch.device("cuda", 2), api=cuda)
    with pytest.raises(UnsupportedError, match="no CUDA device"):
        choose_timer(GPU, api=FakeCuda(available=False))
