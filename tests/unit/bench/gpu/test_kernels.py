"""Times of kernels, and whether a timer agrees with them."""

from __future__ import annotations

import pytest
import torch

from mpcheck._errors import InputError
from mpcheck.bench.gpu.events import EventTimer
from mpcheck.bench.gpu.graph import GraphTimer
from mpcheck.bench.gpu.kernels import agreement, covered, device_intervals, kernel_seconds, kernel_times
from mpcheck.bench.work.workload import UnsupportedError
from tests.fakes.cuda import FakeCuda, launches
from tests.fakes.timers import GPU


@pytest.mark.skipif(not torch.cuda.is_available(), reason="needs a GPU")
def test_on_a_gpu_events_graph_and_kernels_agree_on_a_long_kernel() -> None:
    a = torch.randn(8192, 8192, device="cuda")
    out = torch.empty_like(a)

    def call() -> None:
        torch.mm(a, a, out=out)

    call()
    kernels = kernel_times(call, 10, GPU)
    events = EventTimer(GPU).seconds(call, 10) / 10
    with GraphTimer(GPU) as timer:
        graph = timer.seconds(call, 10) / 10
    assert agreement(events, kernels.seconds).holds, agreement(events, kernels.seconds).reason
    assert agreement(graph, kernels.seconds).holds, agreement(graph, kernels.seconds).reason
    with pytest.raises(UnsupportedError, match="cannot be captured"):
        GraphTimer(GPU).seconds(lambda: call() or torch.cuda.synchronize(), 10)
    torch.rand(3, device="cuda")
    assert agreement(EventTimer(GPU).seconds(call, 10) / 10, kernels.seconds).holds


def test_kernel_times_are_per_call_and_of_this_device_alone() -> None:
    cuda = FakeCuda()
    found = kernel_times(launches(cuda, 3e-6, 4), 5, GPU, api=cuda, profile=cuda.profile)
    assert (found.seconds, found.busy, found.count) == (pytest.approx(12e-6), pytest.approx(12e-6), 4)
    assert kernel_seconds(launches(cuda, 3e-6, 4), 5, GPU, api=cuda, profile=cuda.profile) == pytest.approx(60e-6)


def test_overlapping_kernels_are_busy_for_less_than_their_sum() -> None:
    assert covered([(0.0, 2.0), (1.0, 3.0), (1.5, 1.6), (5.0, 6.0)]) == pytest.approx(4.0)
    assert covered([]) == 0.0


def test_kernels_that_the_profiler_does_not_see_are_unsupported() -> None:
    cuda = FakeCuda()
    with pytest.raises(UnsupportedError, match="the profiler saw no kernel on cuda:0"):
        kernel_times(lambda: None, 5, GPU, api=cuda, profile=cuda.profile)
    with pytest.raises(UnsupportedError, match="no CUDA device"):
        kernel_times(lambda: None, 5, GPU, api=FakeCuda(available=False), profile=cuda.profile)
    with pytest.raises(InputError, match="0 calls"):
        kernel_times(lambda: None, 0, GPU, api=cuda, profile=cuda.profile)


def test_real_host_events_of_torch_s_profiler_are_no_kernels() -> None:
    with torch.profiler.profile(activities=[torch.profiler.ProfilerActivity.CPU]) as seen:
        torch.ones(8) @ torch.ones(8)
    events = list(seen.events())
    assert events and device_intervals(events, 0) == []


@pytest.mark.parametrize(
    ("measured", "holds", "said"), [(1.029e-3, True, "2.9%"), (0.971e-3, True, "2.9%"), (1.031e-3, False, "gaps"), (0.969e-3, False, "overlap")]
)
def test_a_timer_agrees_with_the_kernels_within_three_percent(measured: float, holds: bool, said: str) -> None:
    found = agreement(measured, 1e-3)
    assert found.holds is holds and said in found.reason and found.ratio == pytest.approx(measured * 1e3)
