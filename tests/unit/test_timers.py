"""Timers, on clocks and devices of our own."""

from __future__ import annotations

import gc
import inspect
import time
import warnings
from collections.abc import Callable
from typing import Any

import pytest
import torch

from mpcheck._errors import InputError
from mpcheck.bench.gpu import graph as gpu_graph
from mpcheck.bench.gpu.api import CudaApi, no_synchronising
from mpcheck.bench.gpu.events import EventTimer, L2Flush
from mpcheck.bench.gpu.graph import WARM_UP, GraphTimer, launch_share
from mpcheck.bench.gpu.kernels import agreement, covered, device_intervals, kernel_seconds, kernel_times
from mpcheck.bench.timing.timers import choose_timer
from mpcheck.bench.work.hostclock import ClockError, HostClock
from mpcheck.bench.work.workload import UnsupportedError
from tests.fakes.cuda import FLUSH, LAUNCH, FakeCuda, FakeEvent, launches

GPU = torch.device("cuda")


def event_timer(cuda: FakeCuda, flush: bool = False, device: torch.device = GPU) -> EventTimer:
    return EventTimer(device, flush, api=cuda, allocate=cuda.allocate)


def graph_timer(cuda: FakeCuda, repeats: int = 10) -> GraphTimer:
    return GraphTimer(GPU, repeats, api=cuda, allocate=cuda.allocate)


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


def test_a_workload_s_own_warnings_survive_its_capture() -> None:
    cuda = FakeCuda()

    def call() -> None:
        cuda.kernel(1e-4)
        if cuda.capturing is not None:
            warnings.warn("mind the gap", stacklevel=1)

    with pytest.warns(UserWarning, match="mind the gap"):
        graph_timer(cuda).seconds(call, 1)


def test_torch_s_warning_about_its_own_debug_mode_is_not_passed_on() -> None:
    cuda = FakeCuda()
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        with no_synchronising(cuda):
            assert cuda.mode == 2
    assert cuda.mode == 0


@pytest.mark.parametrize("calls", [1, 10, 25])
def test_graph_time_is_the_kernels_without_launches_and_upload(calls: int) -> None:
    cuda = FakeCuda()
    assert graph_timer(cuda).seconds(launches(cuda, 2e-6, 4), calls) == pytest.approx(calls * 8e-6)


def test_a_graph_is_captured_once_per_call_and_freed() -> None:
    cuda, called = FakeCuda(), [0]

    def call() -> None:
        called[0] += 1
        cuda.kernel(1e-4)

    with graph_timer(cuda, repeats=5) as timer:
        timer.seconds(call, 5)
        timer.seconds(call, 50)
        assert called[0] == WARM_UP + 1 + 5 and len(cuda.captures) == 1
        assert timer.seconds(launches(cuda, 3e-4), 2) == pytest.approx(6e-4)
        assert [g.was_reset for g in cuda.captures] == [True, False]
    assert all(g.was_reset for g in cuda.captures)


def test_a_graph_is_not_freed_while_it_runs() -> None:
    class Interrupted(FakeCuda):
        def Event(self, enable_timing: bool = False) -> FakeEvent:  # noqa: N802
            raise KeyboardInterrupt

    cuda = Interrupted()
    with pytest.raises(KeyboardInterrupt), graph_timer(cuda) as timer:
        timer.seconds(launches(cuda, 1e-3), 10)
    assert [g.was_reset for g in cuda.captures] == [True]


def test_warm_up_and_capture_are_ordered_after_the_caller_s_work_and_before_its_next() -> None:
    cuda = FakeCuda()
    graph_timer(cuda).seconds(launches(cuda, 1e-4), 1)
    side = cuda.streams[0]
    assert side.waits == [cuda.default] and cuda.default.waits == [side]


def waits_known(cuda: FakeCuda) -> None:
    cuda.kernel(1e-4)
    cuda.item()


def waits_unknown(cuda: FakeCuda) -> None:
    cuda.kernel(1e-4)
    cuda.synchronize()


def refuses(cuda: FakeCuda) -> None:
    cuda.kernel(1e-4)
    if cuda.capturing is not None:
        raise NotImplementedError("no capture of this")


FAILURES = [
    (waits_known, "called a synchronizing CUDA operation"),
    (waits_unknown, "not permitted when stream is capturing"),
    (refuses, "no capture of this"),
]


@pytest.mark.parametrize(("fails", "said"), FAILURES)
def test_a_call_that_cannot_be_captured_says_why_and_leaves_the_device_usable(fails: Callable[[FakeCuda], None], said: str) -> None:
    cuda = FakeCuda(mode=1)
    timer = graph_timer(cuda)
    with pytest.raises(UnsupportedError, match=said):
        timer.seconds(lambda: fails(cuda), 10)
    gc.collect()
    assert cuda.current is cuda.default and cuda.capturing is None and cuda.get_sync_debug_mode() == 1
    cuda.random()
    cuda.synchronize()
    assert event_timer(cuda).seconds(launches(cuda, 2e-3), 3) == pytest.approx(6e-3, rel=1e-3)
    assert timer.seconds(launches(cuda, 1e-3), 10) == pytest.approx(1e-2), "a later capture, while the failed graph is still known"


def test_what_torch_knows_to_wait_never_reaches_a_capture() -> None:
    cuda = FakeCuda()
    with pytest.raises(UnsupportedError):
        graph_timer(cuda).seconds(lambda: waits_known(cuda), 1)
    assert not cuda.captures and not cuda.broken


def test_an_interrupt_during_capture_is_no_verdict() -> None:
    cuda = FakeCuda()

    def call() -> None:
        cuda.random()
        if cuda.capturing is not None:
            cuda.spoiled = True
            raise KeyboardInterrupt

    with pytest.raises((KeyboardInterrupt, UnsupportedError)) as caught:
        graph_timer(cuda).seconds(call, 1)
    assert caught.type is KeyboardInterrupt
    assert cuda.current is cuda.default
    cuda.random()


def test_a_device_that_does_not_recover_is_an_error_line() -> None:
    cuda = FakeCuda(recovers=False)
    with pytest.raises(InputError, match=r"does not recover .* illegal memory access.*; measure this one in a process of its own"):
        graph_timer(cuda).seconds(lambda: waits_unknown(cuda), 1)
    assert cuda.current is cuda.default


def test_failed_graphs_are_kept_and_working_ones_are_not() -> None:
    before = len(gpu_graph._broken)
    cuda = FakeCuda()
    graph_timer(cuda).seconds(launches(cuda, 1e-4), 1)
    assert len(gpu_graph._broken) == before
    with pytest.raises(UnsupportedError):
        graph_timer(cuda).seconds(lambda: waits_unknown(cuda), 1)
    assert len(gpu_graph._broken) == before + 1


def test_launch_share() -> None:
    assert launch_share(2e-6, 8e-6) == pytest.approx(0.75)
    assert launch_share(9e-6, 8e-6) == 0.0
    for graph, event in ((0.0, 1.0), (1.0, float("nan")), (float("inf"), 1.0), (1.0, -1.0)):
        with pytest.raises(InputError, match="positive"):
            launch_share(graph, event)


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
