"""What a GPU says of itself, on boards of our own."""

from __future__ import annotations

import dataclasses
from types import SimpleNamespace

import pynvml
import pytest
import torch

from mpcheck.bench.gpu.nvml import Gpu, GpuState, find_handle, opened_gpu, reason_names, throttling
from mpcheck.bench.gpu.state import GpuWatch, usable, watching
from mpcheck.bench.work.workload import UnsupportedError
from tests.fakes.cuda import FakeCuda
from tests.fakes.gpus import GPU, POWER_CAP, SW_THERMAL, board, fake_gpu
from tests.fakes.nvml import READINGS, FakeNvml


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
