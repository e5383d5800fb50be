"""What a GPU says of itself, and what is made of it, on boards of our own."""

from __future__ import annotations

import contextlib
import dataclasses
import itertools
import threading
import time
from collections.abc import Callable
from types import SimpleNamespace
from typing import Any

import pynvml
import pytest
import torch

from mpcheck._errors import InputError
from mpcheck.bench.gpu.figures import DeviceFigures, measure_device
from mpcheck.bench.gpu.nvml import Gpu, GpuState, find_handle, opened_gpu, reason_names, throttling
from mpcheck.bench.gpu.rounds import judged_rounds
from mpcheck.bench.gpu.state import Conditions, GpuWatch, counter_joules, usable, usable_rounds, watching
from mpcheck.bench.work.workload import UnsupportedError
from tests.fakes.cuda import FLUSH, LAUNCH, FakeCuda, launches
from tests.fakes.nvml import READINGS, Board, FakeNvml

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


@pytest.mark.parametrize(
    ("mask", "names", "slow"),
    [
        (0x0, (), ()),
        (0x1, ("GpuIdle",), ()),
        (0x2, ("ApplicationsClocksSetting",), ()),
        (0x4, ("SwPowerCap",), ("SwPowerCap",)),
        (0x8, ("HwSlowdown",), ("HwSlowdown",)),
        (0x10, ("SyncBoost",), ("SyncBoost",)),
        (0x20, ("SwThermalSlowdown",), ("SwThermalSlowdown",)),
        (0x40, ("HwThermalSlowdown",), ("HwThermalSlowdown",)),
        (0x80, ("HwPowerBrakeSlowdown",), ("HwPowerBrakeSlowdown",)),
        (0x100, ("DisplayClockSetting",), ()),
        (0x45, ("GpuIdle", "SwPowerCap", "HwThermalSlowdown"), ("SwPowerCap", "HwThermalSlowdown")),
        (1 << 40, ("reason 0x10000000000",), ("reason 0x10000000000",)),
    ],
)
def test_reasons_have_names_and_only_some_throttle(mask: int, names: tuple[str, ...], slow: tuple[str, ...]) -> None:
    assert reason_names(mask) == names
    assert throttling(mask) == slow


def test_nvml_s_library_has_what_is_asked_of_it() -> None:
    fake = {name for name in vars(FakeNvml) if name.startswith("nvml")}
    for name in (*READINGS, *fake):
        assert callable(getattr(pynvml, name))
    assert not [name for name in (*READINGS, *fake) if any(word in name for word in ("Set", "Reset", "Clear"))]


def test_readings_are_in_megahertz_watts_and_millijoules() -> None:
    nvml = FakeNvml([board(sm=1500, memory=2619, celsius=61, milliwatts=412_500, mask=POWER_CAP, energy=lambda: 123_456, limit=650_000)])
    gpu = fake_gpu(nvml, clock=lambda: 7.5)
    assert gpu.state() == GpuState(7.5, 1500, 2619, 61, 412.5, POWER_CAP, 123_456)
    assert (gpu.max_sm_mhz, gpu.limit_watts, gpu.persistent) == (1980, 650.0, True)


def test_whatever_is_not_supported_is_none_and_never_an_exception() -> None:
    for nvml in (FakeNvml([board()], missing=set(READINGS)), FakeNvml([board()], absent=set(READINGS))):
        with watching(GPU, interval=None, cuda=FakeCuda(uuid=board().uuid), api=nvml) as watch:
            assert isinstance(watch, GpuWatch)
            state = watch.sample()
            assert [v for name, v in dataclasses.asdict(state).items() if name != "at"] == [None] * 6
            found = watch.conditions()
        assert (watch.gpu.max_sm_mhz, watch.gpu.limit_watts, watch.gpu.persistent, watch.gpu.mig) == (None, None, None, False)
        assert (found.sm_mhz_min, found.throttled, found.joules, found.joules_reason) == (
            None,
            None,
            None,
            "the device tells neither energy nor power",
        )
        assert usable(found) is None, "nobody can tell"


@pytest.mark.parametrize("name", sorted(READINGS))
def test_each_reading_may_be_missing_alone(name: str) -> None:
    nvml = FakeNvml([board(mask=POWER_CAP)], missing={name})
    with watching(GPU, interval=None, cuda=FakeCuda(uuid=board().uuid), api=nvml) as watch:
        assert isinstance(watch, GpuWatch)
        assert usable(watch.conditions()), "the power cap is seen by the newer or the older query"
    assert nvml.opened == 0


def test_older_drivers_are_asked_in_the_older_way_and_unknown_masks_are_none() -> None:
    newer, older = "nvmlDeviceGetCurrentClocksEventReasons", "nvmlDeviceGetCurrentClocksThrottleReasons"
    assert fake_gpu(FakeNvml([board(mask=SW_THERMAL)], missing={newer})).state().mask == SW_THERMAL
    assert fake_gpu(FakeNvml([board(mask=SW_THERMAL)], missing={newer, older})).state().mask is None


def test_a_device_is_found_by_what_it_is_and_not_by_its_number() -> None:
    nvml = FakeNvml([board(0, sm=345), board(1, sm=1755)], opened=1)
    for uuid in (board(1).uuid, f"GPU-{board(1).uuid}"):  # torch's device 0 where CUDA_VISIBLE_DEVICES=1
        with opened_gpu(torch.device("cuda", 0), cuda=FakeCuda(uuid=uuid), api=nvml) as gpu:
            assert isinstance(gpu, Gpu) and gpu.index == 0 and gpu.state().sm_mhz == 1755
    address = SimpleNamespace(uuid="unheard-of", pci_domain_id=0, pci_bus_id=1, pci_device_id=0)
    assert find_handle(address, nvml) == (1, False)
    assert find_handle(SimpleNamespace(pci_domain_id=0, pci_bus_id=0, pci_device_id=0), nvml) == (0, False)
    for unknown in (SimpleNamespace(uuid="unheard-of"), SimpleNamespace(), SimpleNamespace(pci_domain_id=0, pci_bus_id=9, pci_device_id=0)):
        with pytest.raises(UnsupportedError, match="neither by UUID nor by PCI address"):
            find_handle(unknown, nvml)


def test_a_slice_has_its_board_s_clocks_and_no_energy_of_its_own() -> None:
    nvml = FakeNvml([board(0), board(1, sm=1600, mig=("5511aa",), energy=lambda: nvml.queries * 10_000)])
    for uuid in ("5511aa", board(1).uuid):
        with watching(GPU, interval=None, cuda=FakeCuda(uuid=uuid), api=nvml) as watch:
            assert isinstance(watch, GpuWatch) and watch.gpu.mig
            for _ in range(20):
                watch.sample()
            found = watch.conditions()
        assert found.sm_mhz_min == 1600 and found.joules is None and "slice" in found.joules_reason


@pytest.mark.parametrize("code", [pynvml.NVML_ERROR_LIBRARY_NOT_FOUND, pynvml.NVML_ERROR_DRIVER_NOT_LOADED, pynvml.NVML_ERROR_UNKNOWN])
def test_without_nvml_the_reason_stands_in_its_stead(code: int) -> None:
    nvml = FakeNvml([board()], start=code)
    with watching(GPU, cuda=FakeCuda(uuid=board().uuid), api=nvml) as watch:
        assert isinstance(watch, str) and watch.startswith("no NVML: NVMLError")


def test_without_the_device_the_reason_stands_in_its_stead_and_nvml_is_closed() -> None:
    nvml = FakeNvml([board()])
    with opened_gpu(GPU, cuda=FakeCuda(available=False), api=nvml) as gpu:
        assert gpu == "no CUDA device"
    with opened_gpu(GPU, cuda=FakeCuda(uuid="unheard-of"), api=nvml) as gpu:
        assert isinstance(gpu, str) and "neither" in gpu and nvml.opened == 1
    with pytest.raises(ZeroDivisionError), opened_gpu(GPU, cuda=FakeCuda(uuid=board().uuid), api=nvml):
        raise ZeroDivisionError
    assert nvml.opened == 0


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


def test_rounds_are_judged_by_the_states_around_them() -> None:
    now, only = [0.0], board()
    nvml = FakeNvml([only])
    with judged_rounds(GPU, clock=lambda: now[0], interval=None, cuda=FakeCuda(uuid=only.uuid), api=nvml) as rounds:
        watch = rounds._watch
        assert watch is not None and rounds.reason == ""
        for number in range(5):
            now[0] += 1.0
            with contextlib.suppress(UnsupportedError), rounds.round():
                now[0] += 0.5
                if number == 4:
                    raise UnsupportedError("no round")
            now[0] += 1.0
            only.mask, only.sm = (POWER_CAP, 1215) if number == 2 else (0, 1980)
            watch.sample()
        assert rounds.kept() == [0, 1], "the rounds before and after the throttled state are out, and half of them is not too many"
        only.mask = POWER_CAP
        with rounds.round():
            now[0] += 1.0
        with pytest.raises(InputError, match=r"GPU 0 throttled in 3 of 5 rounds \(SwPowerCap at 1,215 of 1,980 MHz\)"):
            rounds.kept()
    assert nvml.opened == 0


def test_rounds_of_a_cpu_or_of_an_unknown_gpu_all_count() -> None:
    unknown = FakeNvml([], start=pynvml.NVML_ERROR_LIBRARY_NOT_FOUND)
    for device, told in ((torch.device("cpu"), ""), (GPU, "no NVML")):
        with judged_rounds(device, **({} if device.type == "cpu" else {"cuda": FakeCuda(), "api": unknown})) as rounds:
            for _ in range(3):
                with rounds.round():
                    pass
        assert rounds.kept() == [0, 1, 2] and rounds.conditions() == [None] * 3 and rounds.reason.startswith(told)


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
