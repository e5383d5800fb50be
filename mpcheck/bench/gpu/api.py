"""A CUDA device that is known to be there, memory on it, and work that must not wait for it."""

from __future__ import annotations

import contextlib
import warnings
from collections.abc import Callable, Iterator
from typing import Any, Protocol

import torch

from mpcheck._cuda import CUDA, CudaApi
from mpcheck._unsupported import no_device
from mpcheck.bench.work.workload import UnsupportedError


class Scratch(Protocol):
    """Memory on a device: a tensor."""

    def zero_(self) -> Any:
        """Write all of it."""


Allocate = Callable[[int, torch.device], Scratch]


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
