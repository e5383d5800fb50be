"""How a GPU fared while something was measured: its conditions, rounds that count, energy, the thread that samples."""

from __future__ import annotations

import itertools
import threading
import time

import pynvml
import pytest

from mpcheck._errors import InputError
from mpcheck.bench.gpu.nvml import GpuState
from mpcheck.bench.gpu.state import Conditions, GpuWatch, counter_joules, usable, usable_rounds, watching
from tests.fakes.cuda import FakeCuda
from tests.fakes.gpus import GPU, HW_THERMAL, POWER_CAP, board, fake_gpu, ticking
from tests.fakes.nvml import FakeNvml


def test_conditions_are_of_their_window() -> None:
    only = board()
    watch = GpuWatch(fake_gpu(FakeNvml([only]), clock=ticking()), pynvml)
    for sm, mask, celsius in ((1980, 0x1, 40), (1980, 0, 50), (1500, POWER_CAP, 60), (1215, POWER_CAP | HW_THERMAL, 70), (1900, 0x2, 65)):
        only.sm, only.mask, only.celsius = sm, mask, celsius
        watch.sample()
    whole = watch.conditions()
    assert (whole.seconds, whole.samples, whole.sm_mhz_min, whole.sm_mhz_median, whole.sm_mhz_max) == (4.0, 5, 1215, 1900, 1980)
    assert (whole.throttled, whole.throttled_mhz, whole.reasons) == (pytest.approx(0.4), 1215, ("SwPowerCap", "HwThermalSlowdown"))
    assert whole.settings == ("ApplicationsClocksSetting", "GpuIdle") and whole.celsius_max == 70
    assert usable(whole) == "throttled (SwPowerCap, HwThermalSlowdown at 1,215 of 1,980 MHz)"
    quiet = watch.conditions(0.0, 1.0)
    assert (quiet.throttled, quiet.samples, usable(quiet)) == (0.0, 2, None)
    between = watch.conditions(1.2, 1.4)
    assert between.samples == 2 and between.throttled == 0.5, "the states around a window shorter than the interval"


def test_a_watch_asked_before_its_first_sample_takes_one() -> None:
    assert GpuWatch(fake_gpu(FakeNvml([board(sm=1700)])), pynvml).conditions().sm_mhz_min == 1700


def conditions(throttled: float | None, mhz: int | None = None, reasons: tuple[str, ...] = (), top: int | None = 1980) -> Conditions:
    return Conditions(1.0, 10, mhz, mhz, top, throttled, mhz if throttled else None, reasons, (), None, None, None, "")


GOOD, BAD = conditions(0.0, 1980), conditions(0.3, 1215, ("SwPowerCap",))


def test_a_run_throttled_in_most_of_its_rounds_is_an_error_line() -> None:
    worse = conditions(1.0, 1400, ("SwPowerCap", "HwSlowdown"))
    with pytest.raises(InputError) as caught:
        usable_rounds([*[GOOD] * 6, *[BAD] * 4, *[worse] * 10])
    assert str(caught.value) == (
        "GPU 0 throttled in 14 of 20 rounds (SwPowerCap at 1,215 of 1,980 MHz); cool it, lower the power draw or lock the clocks, then measure again"
    )
    with pytest.raises(InputError, match=r"GPU 3 throttled in 1 of 1 rounds \(HwSlowdown\); cool"):
        usable_rounds([conditions(1.0, None, ("HwSlowdown",), None)], 3)


def test_throttled_rounds_are_left_out_up_to_half_of_them() -> None:
    assert usable_rounds([GOOD, BAD, None, BAD, conditions(None)]) == [0, 2, 4]
    assert usable_rounds([BAD, GOOD]) == [1]
    assert usable_rounds([]) == []


def state(at: float, energy: int | None) -> GpuState:
    return GpuState(at, None, None, None, None, None, energy)


@pytest.mark.parametrize(
    ("before", "after", "joules"),
    [
        (1_000, 301_000, 300.0),
        (2**32 - 100_000, 200_000, 300.0),
        (2**64 - 100_000, 200_000, 300.0),
        (5_000_000, 200_000, None),
        (2**40, 1_000, None),
        (0, 5_000_000, None),
        (None, 5, None),
        (5, None, None),
    ],
)
def test_energy_is_in_joules_over_a_counter_that_may_wrap_or_be_reset(before: int | None, after: int | None, joules: float | None) -> None:
    found, reason = counter_joules(state(0.0, before), state(1.0, after), 700.0)
    assert found == (None if joules is None else pytest.approx(joules))
    assert reason == ("energy counter" if joules else "no energy counter" if None in (before, after) else "the energy counter was reset")


def followed(nvml: FakeNvml, count: int, step: float = 0.1) -> Conditions:
    watch = GpuWatch(fake_gpu(nvml, clock=ticking(step)), pynvml)
    for _ in range(count):
        watch.sample()
    return watch.conditions()


def test_energy_of_a_window_needs_enough_steps_of_its_counter() -> None:
    def counting(every: int) -> FakeNvml:
        asked = itertools.count()
        return FakeNvml([board(energy=lambda: next(asked) // every * 60_000)])

    fine, coarse = followed(counting(2), 22), followed(counting(4), 22)
    assert fine.joules == pytest.approx(600.0) and fine.joules_reason == "energy counter"
    assert coarse.joules is None and coarse.joules_reason.startswith("too coarse: the energy counter made 5 steps")


def test_without_a_counter_power_is_integrated_over_time() -> None:
    missing = {"nvmlDeviceGetTotalEnergyConsumption"}
    found = followed(FakeNvml([board(milliwatts=300_000)], missing), 21)
    assert found.joules == pytest.approx(600.0) and found.joules_reason == "power integrated over time" and found.watts_median == 300.0
    few = followed(FakeNvml([board()], missing), 9)
    assert few.joules is None and "9 readings of power" in few.joules_reason


def test_a_thread_samples_meanwhile_and_ends() -> None:
    enough, nvml = threading.Event(), FakeNvml([board()])
    nvml.on_query = lambda: enough.set() if nvml.queries > 60 else None
    with watching(GPU, interval=1e-3, cuda=FakeCuda(uuid=board().uuid), api=nvml) as watch:
        assert isinstance(watch, GpuWatch)
        assert enough.wait(60)
    assert watch.conditions().samples >= 8
    assert "nvml" not in {thread.name for thread in threading.enumerate()}
    assert nvml.opened == 0


def test_the_thread_is_gone_before_nvml_is() -> None:
    reading, nvml = threading.Event(), FakeNvml([board()])

    def slow() -> None:
        if threading.current_thread().name == "nvml":
            reading.set()
            time.sleep(0.02)

    nvml.on_query = slow
    with watching(GPU, interval=1e-3, cuda=FakeCuda(uuid=board().uuid), api=nvml) as watch:
        assert isinstance(watch, GpuWatch) and reading.wait(60)
    assert "nvml" not in {thread.name for thread in threading.enumerate()}
    assert nvml.late == 0, "a reading after the library was closed"


def test_what_breaks_in_the_thread_is_raised() -> None:
    asked, nvml = threading.Event(), FakeNvml([board()])

    def breaks() -> None:
        if threading.current_thread().name == "nvml":
            asked.set()
            raise MemoryError("in the thread")

    nvml.on_query = breaks
    with pytest.raises(MemoryError, match="in the thread"), watching(GPU, interval=1e-3, cuda=FakeCuda(uuid=board().uuid), api=nvml):
        assert asked.wait(60)
    assert nvml.opened == 0
