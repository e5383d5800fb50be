"""``pynvml`` over boards that exist only here. It raises the real library's errors, and refuses whatever would change a device."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

import pynvml


@dataclass
class Board:
    """Readings in NVML's own units: MHz, milliwatts, millijoules. ``mig``: UUIDs of its slices."""

    uuid: str
    pci: str = "00000000:00:00.0"
    sm: int = 1980
    memory: int = 2619
    top: int = 1980
    celsius: int = 40
    milliwatts: int = 300_000
    limit: int = 700_000
    mask: int = 0
    energy: Callable[[], int] = lambda: 0
    mig: tuple[str, ...] = ()


@dataclass(eq=False)
class FakeNvml:
    """Attributes: missing: functions that the devices or the driver do not support; absent: functions that the library has not.

    ``late`` counts readings asked for while it was not open."""

    boards: list[Board]
    missing: set[str] = field(default_factory=set)
    absent: set[str] = field(default_factory=set)
    start: int | None = None
    opened: int = 0
    queries: int = 0
    late: int = 0
    on_query: Callable[[], None] = lambda: None

    def __dir__(self) -> list[str]:
        return dir(pynvml)

    def __getattr__(self, name: str) -> Any:
        if name in self.absent:
            raise AttributeError(name)
        if name.startswith("nvmlDeviceGet") and name in READINGS:
            return lambda handle, *arguments: self._query(name, handle, *arguments)
        if name.startswith(("NVML", "nvmlClocks")):
            return getattr(pynvml, name)
        raise AssertionError(f"nothing may call {name}")

    def _query(self, name: str, handle: Any, *arguments: Any) -> Any:
        if not self.opened:
            self.late += 1
            raise pynvml.NVMLError(pynvml.NVML_ERROR_UNINITIALIZED)
        self.queries += 1
        self.on_query()
        if name in self.missing or not isinstance(handle, int):
            raise pynvml.NVMLError(pynvml.NVML_ERROR_NOT_SUPPORTED)
        return READINGS[name](self.boards[handle], *arguments)

    def _find(self, wanted: Callable[[Board], bool]) -> int:
        for index, board in enumerate(self.boards):
            if wanted(board):
                return index
        raise pynvml.NVMLError(pynvml.NVML_ERROR_NOT_FOUND)

    def nvmlInit(self) -> None:  # noqa: N802
        if self.start is not None:
            raise pynvml.NVMLError(self.start)
        self.opened += 1

    def nvmlShutdown(self) -> None:  # noqa: N802
        if not self.opened:
            raise pynvml.NVMLError(pynvml.NVML_ERROR_UNINITIALIZED)
        self.opened -= 1

    def nvmlDeviceGetHandleByUUID(self, uuid: str) -> Any:  # noqa: N802
        if uuid.startswith("MIG-"):
            return f"slice of {self._find(lambda b: uuid.removeprefix('MIG-') in b.mig)}"
        return self._find(lambda b: f"GPU-{b.uuid}" == uuid)

    def nvmlDeviceGetHandleByPciBusId(self, address: str) -> int:  # noqa: N802
        return self._find(lambda b: b.pci == address)

    def nvmlDeviceGetDeviceHandleFromMigDeviceHandle(self, handle: str) -> int:  # noqa: N802
        return int(handle.removeprefix("slice of "))


def _clock(board: Board, kind: int) -> int:
    return {pynvml.NVML_CLOCK_SM: board.sm, pynvml.NVML_CLOCK_MEM: board.memory}[kind]


READINGS: dict[str, Callable[..., Any]] = {
    "nvmlDeviceGetClockInfo": _clock,
    "nvmlDeviceGetMaxClockInfo": lambda board, kind: {pynvml.NVML_CLOCK_SM: board.top}[kind],
    "nvmlDeviceGetTemperature": lambda board, sensor: {pynvml.NVML_TEMPERATURE_GPU: board.celsius}[sensor],
    "nvmlDeviceGetPowerUsage": lambda board: board.milliwatts,
    "nvmlDeviceGetEnforcedPowerLimit": lambda board: board.limit,
    "nvmlDeviceGetPersistenceMode": lambda board: 1,
    "nvmlDeviceGetMigMode": lambda board: [int(bool(board.mig)), 0],
    "nvmlDeviceGetCurrentClocksEventReasons": lambda board: board.mask,
    "nvmlDeviceGetCurrentClocksThrottleReasons": lambda board: board.mask,
    "nvmlDeviceGetTotalEnergyConsumption": lambda board: board.energy(),
}
