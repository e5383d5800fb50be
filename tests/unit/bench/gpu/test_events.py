"""Times by pairs of events."""

from __future__ import annotations

import pytest
import torch

from mpcheck.bench.gpu.events import L2Flush
from mpcheck.bench.work.hostclock import ClockError
from mpcheck.bench.work.workload import UnsupportedError
from tests.fakes.cuda import FLUSH, LAUNCH, FakeCuda, launches
from tests.fakes.timers import event_timer, graph_timer


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
