"""What a GPU says of itself through NVML: clocks, what holds them down, power, energy. Read only: nothing is ever set or reset."""

from __future__ import annotations

import contextlib
import functools
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Any

import pynvml
import torch

from mpcheck._cuda import CUDA, CudaApi
from mpcheck._errors import error_line
from mpcheck.bench.gpu.api import checked
from mpcheck.bench.work.workload import UnsupportedError

BENIGN = ("GpuIdle", "ApplicationsClocksSetting", "DisplayClockSetting")
"""What holds clocks down without throttling: nothing to do, or clocks that somebody chose."""
MILLI = 1e-3


@functools.lru_cache(maxsize=4)
def _known(api: Any) -> dict[int, str]:
    """Names of single bits; the library has thousands of names to look through."""
    known: dict[int, str] = {}
    for prefix in ("nvmlClocksEventReason", "nvmlClocksThrottleReason"):  # the newer name of each first
        for name in sorted(dir(api)):
            value = getattr(api, name) if name.startswith(prefix) else None
            if isinstance(value, int) and value.bit_count() == 1:
                known.setdefault(value, name.removeprefix(prefix))
    return known


def reason_names(mask: int, api: Any = pynvml) -> tuple[str, ...]:
    """Names of the bits of NVML's mask of clock event reasons, lowest bit first; a bit that the library does not name by its value.

    SwPowerCap, HwSlowdown, SyncBoost, SwThermalSlowdown, HwThermalSlowdown, HwPowerBrakeSlowdown throttle; so is counted what has no name.
    """
    known = _known(api)
    bits = [1 << n for n in range(mask.bit_length()) if mask >> n & 1]
    return tuple(known.get(bit, f"reason {bit:#x}") for bit in bits)


def throttling(mask: int, api: Any = pynvml) -> tuple[str, ...]:
    """Names of the bits that mean throttling."""
    return tuple(name for name in reason_names(mask, api) if name not in BENIGN)


@dataclass(frozen=True)
class GpuState:
    """A GPU at one moment; None where the device does not tell.

    Attributes:
        at: seconds on the host's clock.
        sm_mhz: of the multiprocessors; memory_mhz: of the memory; celsius: of the chip.
        watts: drawn by the whole board; on recent devices the mean of the last second.
        mask: NVML's clock event reasons.
        energy_mj: millijoules that the whole board counted since the driver was loaded.
    """

    at: float
    sm_mhz: int | None
    memory_mhz: int | None
    celsius: int | None
    watts: float | None
    mask: int | None
    energy_mj: int | None


class Gpu:
    """One device's readings."""

    def __init__(self, handle: Any, index: int, mig: bool, api: Any = pynvml, clock: Callable[[], float] = time.perf_counter) -> None:
        """``handle`` is NVML's of the whole board, ``index`` is torch's."""
        self._handle, self._api, self._clock = handle, api, clock
        self.index = index
        self.mig = mig
        self.max_sm_mhz: int | None = self._read("nvmlDeviceGetMaxClockInfo", api.NVML_CLOCK_SM)
        limit = self._read("nvmlDeviceGetEnforcedPowerLimit")
        self.limit_watts: float | None = None if limit is None else limit * MILLI
        persistence = self._read("nvmlDeviceGetPersistenceMode")
        self.persistent: bool | None = None if persistence is None else bool(persistence)

    def _read(self, name: str, *arguments: Any) -> Any:
        """One query; None where the library, the driver or the device has it not."""
        try:
            return getattr(self._api, name)(self._handle, *arguments)
        except (self._api.NVMLError, AttributeError):
            return None

    def state(self) -> GpuState:
        """All readings now. Takes a fraction of a millisecond to a few, by device; never raises for what a device does not have."""
        api = self._api
        watts = self._read("nvmlDeviceGetPowerUsage")
        mask = self._read("nvmlDeviceGetCurrentClocksEventReasons")
        if mask is None:  # drivers before 535
            mask = self._read("nvmlDeviceGetCurrentClocksThrottleReasons")
        return GpuState(
            at=self._clock(),
            sm_mhz=self._read("nvmlDeviceGetClockInfo", api.NVML_CLOCK_SM),
            memory_mhz=self._read("nvmlDeviceGetClockInfo", api.NVML_CLOCK_MEM),
            celsius=self._read("nvmlDeviceGetTemperature", api.NVML_TEMPERATURE_GPU),
            watts=None if watts is None else watts * MILLI,
            mask=mask,
            energy_mj=self._read("nvmlDeviceGetTotalEnergyConsumption"),
        )


def find_handle(properties: Any, api: Any = pynvml) -> tuple[Any, bool]:
    """NVML's handle of the board that torch's device properties describe, and whether the device is a MIG slice of it.

    Found by UUID, else by PCI address and never by index: NVML numbers every GPU of the machine, torch those of CUDA_VISIBLE_DEVICES.

    Raises:
        UnsupportedError: the board is not found.
    """
    uuid = str(getattr(properties, "uuid", "") or "").removeprefix("GPU-").removeprefix("MIG-")
    if uuid:
        with contextlib.suppress(api.NVMLError):
            return _board(api.nvmlDeviceGetHandleByUUID(f"GPU-{uuid}"), api)
        with contextlib.suppress(api.NVMLError):
            return api.nvmlDeviceGetDeviceHandleFromMigDeviceHandle(api.nvmlDeviceGetHandleByUUID(f"MIG-{uuid}")), True
    domain, bus, slot = (getattr(properties, f"pci_{part}_id", None) for part in ("domain", "bus", "device"))
    if domain is not None and bus is not None and slot is not None:
        with contextlib.suppress(api.NVMLError):
            return _board(api.nvmlDeviceGetHandleByPciBusId(f"{domain:08x}:{bus:02x}:{slot:02x}.0"), api)
    raise UnsupportedError("NVML does not know the GPU, neither by UUID nor by PCI address")


def _board(handle: Any, api: Any) -> tuple[Any, bool]:
    """A board's handle, and whether it is cut into slices: its readings are then of all of them."""
    try:
        current, _ = api.nvmlDeviceGetMigMode(handle)
    except (api.NVMLError, AttributeError):
        return handle, False
    return handle, current == api.NVML_DEVICE_MIG_ENABLE


@contextlib.contextmanager
def opened_gpu(
    device: torch.device, *, cuda: CudaApi = CUDA, api: Any = pynvml, clock: Callable[[], float] = time.perf_counter
) -> Iterator[Gpu | str]:
    """A CUDA device's readings while the block lasts; in their stead the reason, where NVML or the device is unavailable."""
    try:
        device = checked(device, cuda)
        api.nvmlInit()
    except UnsupportedError as error:
        yield str(error)
        return
    except api.NVMLError as error:
        yield f"no NVML: {error_line(error)}"
        return
    try:
        gpu: Gpu | str
        try:
            handle, mig = find_handle(cuda.get_device_properties(device), api)
            gpu = Gpu(handle, int(device.index), mig, api, clock)
        except UnsupportedError as error:
            gpu = str(error)
        yield gpu
    finally:
        with contextlib.suppress(api.NVMLError):
            api.nvmlShutdown()  # counted: others who opened it keep it
