"""The part of ``torch.cuda`` that mpcheck uses, as one object: a machine without a GPU runs what is for one on a stand-in for it.

Nothing else in the package names ``torch.cuda``, and a test keeps it so: a branch for CUDA can then be run anywhere.
"""

from __future__ import annotations

import contextlib
from collections.abc import Iterator
from contextlib import AbstractContextManager
from typing import Any, Protocol, cast

import torch


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


class CudaApi(Protocol):
    """``torch.cuda``. Devices are ``torch.device``; memory is in bytes."""

    def is_available(self) -> bool: ...
    def device_count(self) -> int: ...
    def current_device(self) -> int: ...
    def get_device_name(self, device: Any = None) -> str: ...
    def get_device_capability(self, device: Any = None) -> tuple[int, int]: ...
    def get_device_properties(self, device: Any) -> Any: ...
    def device(self, device: Any) -> AbstractContextManager[Any]: ...
    def synchronize(self, device: Any = None) -> None: ...
    def Event(self, enable_timing: bool = False) -> TimingEvent: ...  # noqa: N802
    def Stream(self) -> DeviceStream: ...  # noqa: N802
    def CUDAGraph(self) -> DeviceGraph: ...  # noqa: N802
    def current_stream(self) -> DeviceStream: ...
    def stream(self, stream: Any) -> AbstractContextManager[Any]: ...
    def graph(self, cuda_graph: Any, *, stream: Any) -> AbstractContextManager[Any]: ...
    def get_sync_debug_mode(self) -> int: ...
    def set_sync_debug_mode(self, debug_mode: int | str) -> None: ...
    def memory_allocated(self, device: Any = None) -> int: ...
    def max_memory_allocated(self, device: Any = None) -> int: ...
    def reset_peak_memory_stats(self, device: Any = None) -> None: ...


class _Passing:
    """Hands on to torch, or to what stands in for it."""

    def __init__(self) -> None:
        self.to: Any = torch.cuda

    def __getattr__(self, name: str) -> Any:
        return getattr(self.to, name)


_PASSING = _Passing()
CUDA = cast(CudaApi, _PASSING)
"""What every CUDA call of the package goes through."""


@contextlib.contextmanager
def standing_in(api: Any) -> Iterator[None]:
    """Something else stands in for ``torch.cuda`` while the block lasts."""
    before = _PASSING.to
    _PASSING.to = api
    try:
        yield
    finally:
        _PASSING.to = before
