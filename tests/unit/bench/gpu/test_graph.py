"""Calls replayed from a CUDA graph: what is captured, what cannot be, and what that leaves behind."""

from __future__ import annotations

import gc
import warnings
from collections.abc import Callable

import pytest

from mpcheck._errors import InputError
from mpcheck.bench.gpu import graph as gpu_graph
from mpcheck.bench.gpu.graph import WARM_UP, launch_share
from mpcheck.bench.work.workload import UnsupportedError
from tests.fakes.cuda import FakeCuda, FakeEvent, launches
from tests.fakes.timers import event_timer, graph_timer


def test_a_workload_s_own_warnings_survive_its_capture() -> None:
    cuda = FakeCuda()

    def call() -> None:
        cuda.kernel(1e-4)
        if cuda.capturing is not None:
            warnings.warn("mind the gap", stacklevel=1)

    with pytest.warns(UserWarning, match="mind the gap"):
        graph_timer(cuda).seconds(call, 1)


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
