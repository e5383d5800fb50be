"""A processor that poses as a GPU: whatever is for CUDA runs, in every process of a run, on the only device that there is.

Tensors that are asked for on ``cuda`` lie on the host, and ``torch.cuda`` is an object that answers as a GPU of compute capability 9.0
does. Times are the host's, a graph launches nothing, kernels are none: figures mean nothing, and verdicts mean that nothing raised. Sums
in 16 bits are the host's, too, and rounded otherwise than a GPU does, so that cells in 16 bits may be red.

A process poses that has this directory on its ``PYTHONPATH`` and ``VARIABLE`` set (sitecustomize.py).
"""

from __future__ import annotations

import contextlib
import time
from collections.abc import Iterator, Mapping
from types import SimpleNamespace
from typing import Any

import torch
import torch.profiler
from torch.overrides import TorchFunctionMode
from torch.profiler import ProfilerActivity

NAME = "Posing GPU"
UUID = "11111111-0000-0000-0000-000000000000"
REPLAY = 1e-4


def on_host(value: Any) -> Any:
    """A device or its name, as it is on the host."""
    if isinstance(value, torch.device):
        return torch.device("cpu") if value.type == "cuda" else value
    return "cpu" if isinstance(value, str) and (value == "cuda" or value.startswith("cuda:")) else value


class OnHost(TorchFunctionMode):
    """Every tensor that is asked for on a GPU lies on the host; a device stays what it is called."""

    def __torch_function__(self, func: Any, types: Any, args: tuple[Any, ...] = (), kwargs: Mapping[str, Any] | None = None) -> Any:
        given = dict(kwargs or {})
        if func is torch.device:
            return func(*args, **given)
        if func is torch.Tensor.cuda:
            return args[0]
        return func(*map(on_host, args), **{name: on_host(value) for name, value in given.items()})


class Event:
    def __init__(self, enable_timing: bool = False, **_: Any) -> None:
        self.at: float | None = None

    def record(self, stream: Any = None) -> None:
        self.at = time.perf_counter()

    def elapsed_time(self, end: Event) -> float:
        if self.at is None or end.at is None:
            raise RuntimeError("Both events must be recorded before calculating elapsed time.")
        return (end.at - self.at) * 1e3


class Stream:
    def wait_stream(self, stream: Any) -> None:
        pass


class Graph:
    def replay(self) -> None:
        time.sleep(REPLAY)

    def reset(self) -> None:
        pass


class Gpu:
    """``torch.cuda`` of one GPU."""

    Event, Stream, CUDAGraph = Event, Stream, Graph

    def __init__(self) -> None:
        self.mode: int | str = 0

    def is_available(self) -> bool:
        return True

    def device_count(self) -> int:
        return 1

    def current_device(self) -> int:
        return 0

    def get_device_name(self, device: Any = None) -> str:
        return NAME

    def get_device_capability(self, device: Any = None) -> tuple[int, int]:
        return 9, 0

    def get_device_properties(self, device: Any) -> Any:
        return SimpleNamespace(name=NAME, total_memory=80 << 30, multi_processor_count=132, L2_cache_size=1 << 20, major=9, minor=0, uuid=UUID)

    def device(self, device: Any) -> contextlib.AbstractContextManager[None]:
        return contextlib.nullcontext()

    def synchronize(self, device: Any = None) -> None:
        pass

    def current_stream(self) -> Stream:
        return Stream()

    def stream(self, stream: Any) -> contextlib.AbstractContextManager[None]:
        return contextlib.nullcontext()

    @contextlib.contextmanager
    def graph(self, cuda_graph: Any, *, stream: Any) -> Iterator[None]:
        yield

    def get_sync_debug_mode(self) -> int | str:
        return self.mode

    def set_sync_debug_mode(self, debug_mode: int | str) -> None:
        self.mode = debug_mode

    def memory_allocated(self, device: Any = None) -> int:
        return 0

    def max_memory_allocated(self, device: Any = None) -> int:
        return 1 << 20

    def reset_peak_memory_stats(self, device: Any = None) -> None:
        pass


class HostProfile(torch.profiler.profile):
    """Looks at the host, whatever it is asked to look at: this torch may have no profiler of GPUs."""

    def __init__(self, *, activities: Any = None, **options: Any) -> None:
        super().__init__(activities=[ProfilerActivity.CPU], **options)


def pose() -> None:
    """From now on, as long as the process lasts."""
    from mpcheck import _cuda

    _cuda._PASSING.to = Gpu()
    torch.profiler.profile = HostProfile  # type: ignore[misc]
    OnHost().__enter__()
