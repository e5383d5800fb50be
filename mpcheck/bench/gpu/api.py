"""The part of ``torch.cuda`` that timing uses, as an interface: a machine without a GPU exercises the timers through a stand-in for it."""

from __future__ import annotations

import contextlib
import warnings
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager
from typing import Any, Protocol, cast

import torch

from mpcheck._unsupported import no_device
from mpcheck.bench.work.workload import UnsupportedError


class TimingEvent(Protocol):
    """``torch.cuda.Event(enable_timing=True)``."""

    def record(self) -> None:
        """Mark the current stream's present end."""

    def elapsed_time(self, end: Any) -> float:
        """Milliseconds until another event. Raises RuntimeError before both are completed."""


class DeviceGraph(Protocol):
    """``torch.cuda.CUDAGraph``."""

    def replay(self) -> None:
        """Queue everything captured as one launch."""

    def reset(self) -> None:
        """Free what it holds."""


class DeviceStream(Protocol):
    """``torch.cuda.Stream``."""

    def wait_stream(self, stream: Any) -> None:
        """What is queued here from now on waits for what is queued there by now."""


class Scratch(Protocol):
    """Memory on a device: a tensor."""

    def zero_(self) -> Any:
        """Write all of it."""


class CudaApi(Protocol):
    """``torch.cuda``. Devices are ``torch.device``; memory is in bytes."""

    def is_available(self) -> bool: ...  # noqa: D102 - torch.cuda's own, here and below
    def device_count(self) -> int: ...  # noqa: D102
    def current_device(self) -> int: ...  # noqa: D102
    def get_device_properties(self, device: Any) -> Any: ...  # noqa: D102
    def device(self, device: Any) -> AbstractContextManager[Any]: ...  # noqa: D102
    def synchronize(self, device: Any = None) -> None: ...  # noqa: D102
    def Event(self, enable_timing: bool = False) -> TimingEvent: ...  # noqa: N802, D102
    def Stream(self) -> DeviceStream: ...  # noqa: N802, D102
    def CUDAGraph(self) -> DeviceGraph: ...  # noqa: N802, D102
    def current_stream(self) -> DeviceStream: ...  # noqa: D102
    def stream(self, stream: Any) -> AbstractContextManager[Any]: ...  # noqa: D102
    def graph(self, cuda_graph: Any, *, stream: Any) -> AbstractContextManager[Any]: ...  # noqa: D102
    def get_sync_debug_mode(self) -> int: ...  # noqa: D102
    def set_sync_debug_mode(self, debug_mode: int | str) -> None: ...  # noqa: D102
    def memory_allocated(self, device: Any = None) -> int: ...  # noqa: D102
    def max_memory_allocated(self, device: Any = None) -> int: ...  # noqa: D102
    def reset_peak_memory_stats(self, device: Any = None) -> None: ...  # noqa: D102


Allocate = Callable[[int, torch.device], Scratch]
CUDA = cast(CudaApi, torch.cuda)


def allocate(size: int, device: torch.device) -> Scratch:
    """Bytes on a device, not yet written."""
    return torch.empty(size, dtype=torch.uint8, device=device)


def checked(device: torch.device, api: CudaApi = CUDA) -> torch.device:
    """A CUDA device with its index, once it is known to be there.

    Raises:
        UnsupportedError: it is not.
    """
    if device.type != "cuda":
        raise UnsupportedError(no_device(f"no CUDA device: {device} is not one"))
    if not api.is_available():
        raise UnsupportedError(no_device())
    count, index = api.device_count(), api.current_device() if device.index is None else device.index
    if index >= count:
        raise UnsupportedError(no_device(f"no CUDA device {index}: this process sees {count}"))
    return torch.device("cuda", index)


@contextlib.contextmanager
def no_synchronising(api: CudaApi = CUDA) -> Iterator[None]:
    """Operations that make the host wait for the GPU raise RuntimeError, as far as torch knows them; the mode before is put back."""
    before = api.get_sync_debug_mode()
    with warnings.catch_warnings():
        warnings.filterwarnings("ignore", "Synchronization debug mode is a prototype")  # known, and said above
        api.set_sync_debug_mode("error")
    try:
        yield
    finally:
        api.set_sync_debug_mode(before)
