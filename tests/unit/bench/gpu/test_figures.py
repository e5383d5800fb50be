"""Everything that a GPU tells of one call, with stand-ins for it."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pynvml
import pytest
import torch

from mpcheck._errors import InputError
from mpcheck.bench.gpu.figures import DeviceFigures, measure_device
from mpcheck.bench.gpu.state import usable
from mpcheck.bench.work.workload import UnsupportedError
from tests.fakes.cuda import FLUSH, LAUNCH, FakeCuda, launches
from tests.fakes.gpus import GPU, HW_SLOWDOWN
from tests.fakes.nvml import Board, FakeNvml


def measured(cuda: FakeCuda, nvml: FakeNvml, call: Callable[[], Any], budget: float = 2.0) -> DeviceFigures:
    found = measure_device(call, GPU, budget, api=cuda, nvml=nvml, clock=cuda.clock, profile=cuda.profile, allocate=cuda.allocate, interval=None)
    assert found is not None
    return found


def metered(cuda: FakeCuda, **readings: Any) -> FakeNvml:
    """A board that draws 500 W, whose counter moves every 20 ms."""
    return FakeNvml([Board(uuid=cuda.uuid, energy=lambda: int(cuda.host / 0.02) * 10_000, **readings)])


def test_everything_of_a_call_bound_by_launches() -> None:
    cuda = FakeCuda()
    began = cuda.host

    def call() -> None:
        cuda.peak = max(cuda.peak, cuda.held + 4096)
        launches(cuda, 2e-6, 4, cold=1e-6)()

    cuda.peak = 10**9  # of something before
    found = measured(cuda, metered(cuda), call)
    assert found.event_seconds == pytest.approx(4 * LAUNCH, rel=0.02)
    assert found.graph_seconds == pytest.approx(8e-6) and found.device_seconds == found.graph_seconds
    assert found.kernels is not None and found.kernels.seconds == pytest.approx(8e-6) and found.kernels.count == 4
    assert found.launch_share == pytest.approx(1 - 8 / 20, rel=0.02)
    assert found.agrees is not None and found.agrees.holds
    assert found.joules == pytest.approx(500 * 4 * LAUNCH, rel=0.1) and found.joules_reason == "energy counter"
    assert found.conditions is not None and found.conditions.sm_mhz_min == 1980 and usable(found.conditions) is None
    assert found.peak_bytes == 4096
    assert 0.5 < cuda.host - began < 4.0, "about the budget of 2 s"


def test_cold_figures_are_those_of_a_cleared_cache() -> None:
    cuda = FakeCuda()
    found = measured(cuda, metered(cuda), launches(cuda, 2e-4, cold=1e-4))
    assert found.event_seconds == pytest.approx(2e-4, rel=0.05)
    assert found.cold_seconds == pytest.approx(3e-4, rel=0.05), f"with {FLUSH} s a flush"


def test_a_call_that_cannot_be_captured_has_every_other_figure() -> None:
    cuda = FakeCuda()

    def call() -> None:
        cuda.kernel(1e-3)
        cuda.item()

    found = measured(cuda, metered(cuda, mask=HW_SLOWDOWN, sm=900), call)
    assert found.graph_seconds is None and "synchronizing" in found.graph_reason and found.launch_share is None
    assert found.kernels is not None and found.device_seconds == pytest.approx(1e-3)
    assert found.agrees is not None and found.agrees.holds, "the events, where there is no graph"
    assert usable(found.conditions) == "throttled (HwSlowdown at 900 of 1,980 MHz)"


def test_without_nvml_there_are_times_and_a_reason() -> None:
    cuda = FakeCuda()
    nvml = FakeNvml([], start=pynvml.NVML_ERROR_LIBRARY_NOT_FOUND)
    found = measured(cuda, nvml, launches(cuda, 1e-3))
    assert found.event_seconds == pytest.approx(1e-3, rel=0.05)
    assert found.conditions is None and found.joules is None
    assert found.conditions_reason == found.joules_reason and "Library" in found.joules_reason


def test_a_budget_too_short_for_the_energy_counter_says_so() -> None:
    cuda = FakeCuda()
    found = measured(cuda, metered(cuda), launches(cuda, 1e-3), budget=0.1)
    assert found.joules is None and found.joules_reason.startswith("too coarse")


def test_nothing_of_a_cpu_and_nothing_without_a_budget_or_a_device() -> None:
    assert measure_device(lambda: None, torch.device("cpu"), 1.0) is None
    for budget in (0.0, -1.0, float("nan")):
        with pytest.raises(InputError, match="positive number of seconds"):
            measure_device(lambda: None, GPU, budget, api=FakeCuda())
    with pytest.raises(UnsupportedError, match="no CUDA device"):
        measure_device(lambda: None, GPU, 1.0, api=FakeCuda(available=False))
