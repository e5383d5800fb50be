"""Timers, on clocks and devices of our own."""

from __future__ import annotations

import inspect
import time
from collections.abc import Callable
from typing import Any

import pytest
import torch

from mpcheck._errors import InputError
from mpcheck.bench.gpu.api import CudaApi
from mpcheck.bench.gpu.events import EventTimer, L2Flush
from mpcheck.bench.gpu.graph import GraphTimer
from mpcheck.bench.gpu.kernels import agreement, covered, device_intervals, kernel_seconds, kernel_times
from mpcheck.bench.timing.timers import choose_timer
from mpcheck.bench.work.hostclock import ClockError, HostClock
from mpcheck.bench.work.workload import UnsupportedError
from tests.fakes.cuda import FLUSH, LAUNCH, FakeCuda, launches
from tests.fakes.timers import GPU, event_timer, graph_timer


def readings(*values: int) -> Callable[[], int]:
    left = list(values)
    return lambda: left.pop(0)


def test_cpu_seconds_are_those_between_the_clock_s_readings() -> None:
    made: list[int] = []
    assert HostClock(readings(1_000, 2_500_001_000), lambda: 0, "/none").seconds(lambda: made.append(1), 4) == pytest.approx(2.5)
    assert len(made) == 4


def test_cpu_time_of_real_work_is_its_time() -> None:
    began = time.perf_counter()
    timed = HostClock().seconds(lambda: time.sleep(0.002), 5)
    assert 0.01 <= timed <= time.perf_counter() - began


@pytest.mark.parametrize(
    ("second", "said"), [(500_000_000, "the clock went backwards by 0.5 s between two readings"), (1_000_000_000, "stood still")]
)
def test_a_clock_that_cannot_time_is_an_error_line(second: int, said: str) -> None:
    with pytest.raises(ClockError, match=said) as caught:
        HostClock(readings(1_000_000_000, second), lambda: 0, "/none").seconds(lambda: None, 3)
    assert isinstance(caught.value, InputError) and "\n" not in str(caught.value)


@pytest.mark.parametrize("calls", [0, -1])
def test_no_calls_cannot_be_timed(calls: int) -> None:
    cuda = FakeCuda()
    for timer in (HostClock(), event_timer(cuda), graph_timer(cuda)):
        with pytest.raises(InputError, match=f"{calls} calls"):
            timer.seconds(launches(cuda, 1e-3), calls)


def test_event_time_is_the_device_s_in_seconds_and_the_host_waits_once() -> None:
    cuda = FakeCuda()
    assert event_timer(cuda).seconds(launches(cuda, 2e-3), 7) == pytest.approx(0.014, rel=1e-3)
    assert cuda.synchronised == 1


def test_event_time_holds_the_gaps_of_a_call_bound_by_launches() -> None:
    cuda = FakeCuda()
    assert event_timer(cuda).seconds(launches(cuda, 2e-6, 4), 5) == pytest.approx(5 * (4 * LAUNCH + 2e-6) - 4 * 2e-6)


def test_the_l2_cache_is_cleared_before_each_call_and_outside_its_events() -> None:
    cuda = FakeCuda()
    call = launches(cuda, 1e-4, cold=1e-4)
    assert event_timer(cuda).seconds(call, 6) == pytest.approx(6e-4, rel=0.02)
    assert event_timer(cuda, flush=True).seconds(call, 6) == pytest.approx(12e-4, rel=0.02), f"a flush of {FLUSH} s counts, or does not clear"


@pytest.mark.parametrize("size", [4 << 20, 60 << 20, 0])
def test_more_than_the_l2_cache_is_written(size: int) -> None:
    cuda = FakeCuda(l2=size)
    L2Flush(torch.device("cuda", 0), cuda, cuda.allocate)()
    assert cuda.written > (size or 100 << 20)


def test_events_are_on_the_caller_s_stream_of_the_device_asked_for() -> None:
    cuda = FakeCuda(devices=2)
    mine = cuda.Stream()
    with cuda.stream(mine):
        event_timer(cuda, device=torch.device("cuda", 1)).seconds(launches(cuda, 1e-3), 2)
    assert {e.stream for e in cuda.recorded} == {mine}
    assert {index for _, index, _, _ in cuda.ran} == {1}
    assert cuda.index == 0


def test_a_call_that_queues_nothing_has_no_time() -> None:
    cuda = FakeCuda()
    with pytest.raises(ClockError, match="cuda:0 give 0 s for 3 calls"):
        event_timer(cuda).seconds(lambda: None, 3)
    with pytest.raises(UnsupportedError, match="queues no work"):
        graph_timer(cuda).seconds(lambda: None, 3)
    assert event_timer(cuda).seconds(launches(cuda, 1e-3), 2) == pytest.approx(2e-3, rel=0.01)


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


ASKED: dict[str, tuple[tuple[Any, ...], dict[str, Any]]] = {
    **dict.fromkeys(("is_available", "device_count", "current_device", "Stream", "CUDAGraph", "current_stream", "get_sync_debug_mode"), ((), {})),
    **dict.fromkeys(
        ("get_device_properties", "device", "synchronize", "memory_allocated", "max_memory_allocated", "reset_peak_memory_stats"), ((GPU,), {})
    ),
    "Event": ((), {"enable_timing": True}),
    "stream": ((None,), {}),
    "graph": ((None,), {"stream": None}),
    "set_sync_debug_mode": (("error",), {}),
}


def test_torch_has_what_is_asked_of_it() -> None:
    assert set(ASKED) == {name for name in vars(CudaApi) if callable(getattr(CudaApi, name)) and not name.startswith("_")}
    for name, (arguments, options) in ASKED.items():
        inspect.signature(getattr(torch.cuda, name)).bind(*arguments, **options)
        assert callable(getattr(FakeCuda(), name))


@pytest.mark.skipif(torch.cuda.is_available(), reason="has a GPU")
def test_without_a_gpu_torch_s_own_interface_is_unsupported() -> None:
    for kind in ("events", "graph"):
        with pytest.raises(UnsupportedError, match="no CUDA device"):
            choose_timer(GPU, kind)  # type: ignore[arg-type]


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
