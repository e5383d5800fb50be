"""``torch.cuda`` with a clock of its own: a host that launches, and one device that executes in order, in simulated seconds.

It is strict where the real one is: an event not completed has no time, waiting during a capture spoils the capture, and what a
spoiled capture leaves behind (another current stream, a random generator in capture mode, a graph that is still asked about)
is left behind here too.
"""

from __future__ import annotations

import contextlib
import warnings
import weakref
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from types import SimpleNamespace
from typing import Any

LAUNCH = 5e-6
FLUSH = 40e-6
UPLOAD = 1e-3
CREATE = 3e-6


@dataclass(eq=False)
class FakeStream:
    waits: list[FakeStream] = field(default_factory=list)

    def wait_stream(self, stream: FakeStream) -> None:
        self.waits.append(stream)


class FakeEvent:
    def __init__(self, cuda: FakeCuda, timing: bool) -> None:
        self.cuda, self.timing = cuda, timing
        self.at: float | None = None
        self.stream: FakeStream | None = None

    def record(self) -> None:
        if self.at is None:
            self.cuda.host += CREATE
        self.at, self.stream = max(self.cuda.host, self.cuda.free), self.cuda.current
        self.cuda.recorded.append(self)

    def elapsed_time(self, end: FakeEvent) -> float:
        if not (self.timing and end.timing):
            raise ValueError("Both events must be created with argument 'enable_timing=True'.")
        if self.at is None or end.at is None or max(self.at, end.at) > self.cuda.host:
            raise RuntimeError("Both events must be completed before calculating elapsed time.")
        return (end.at - self.at) * 1e3


class FakeGraph:
    def __init__(self, cuda: FakeCuda) -> None:
        self.cuda = cuda
        self.nodes: list[float] = []
        self.replays = 0
        self.was_reset = False

    def replay(self) -> None:
        if self.was_reset or self.cuda.capturing is not None:
            raise RuntimeError("Called CUDAGraph::replay without a preceding successful capture.")
        self.cuda.host += LAUNCH
        if self.replays == 0:
            self.cuda.execute("upload", UPLOAD)
        for seconds in self.nodes or [2e-6]:  # an empty graph is launched too
            self.cuda.execute("node", seconds)
        self.replays += 1

    def reset(self) -> None:
        if self.cuda.free > self.cuda.host:
            raise AssertionError("a graph is freed while the device runs")
        self.was_reset = True


class FakeScratch:
    def __init__(self, cuda: FakeCuda, size: int) -> None:
        self.cuda, self.size = cuda, size

    def zero_(self) -> None:
        self.cuda.written += self.size
        self.cuda.kernel(FLUSH, name="Memset")


@dataclass
class FakeCuda:
    """Names in ``torch.cuda``'s manner; ``kernel``, ``item``, ``random`` stand for a workload's operations."""

    available: bool = True
    devices: int = 1
    capability: tuple[int, int] = (9, 0)
    l2: int = 50 << 20
    recovers: bool = True
    host: float = 10.0
    free: float = 0.0
    written: int = 0
    held: int = 1000
    peak: int = 1000
    mode: int = 0
    warned: bool = False
    index: int = 0
    synchronised: int = 0
    capturing: FakeGraph | None = None
    spoiled: bool = False
    generator_captures: bool = False
    captures: list[FakeGraph] = field(default_factory=list)
    broken: list[weakref.ref[FakeGraph]] = field(default_factory=list)
    recorded: list[FakeEvent] = field(default_factory=list)
    ran: list[tuple[str, int, float, float]] = field(default_factory=list)
    streams: list[FakeStream] = field(default_factory=list)
    uuid: str = "11111111-0000-0000-0000-000000000000"

    def __post_init__(self) -> None:
        self.default = self.current = FakeStream()

    # what workloads do

    def kernel(self, seconds: float, cold: float = 0.0, name: str = "kernel") -> None:
        """Launch one; ``cold`` seconds longer where the L2 cache was written over since the last one."""
        self.host += LAUNCH
        if name != "Memset":
            seconds += cold * (self.written > self.l2)
            self.written = 0
        if self.capturing is not None:
            self.capturing.nodes.append(seconds)
        else:
            self.execute(name, seconds)

    def execute(self, name: str, seconds: float) -> None:
        begin = max(self.host, self.free)
        self.free = begin + seconds
        self.ran.append((name, self.index, begin, self.free))

    def item(self) -> None:
        """An operation that waits, and that torch knows to wait."""
        if self.mode == 2:
            raise RuntimeError("called a synchronizing CUDA operation")
        self.synchronize()

    def random(self) -> None:
        if self.generator_captures and self.capturing is None:
            raise RuntimeError("Offset increment outside graph capture encountered unexpectedly.")
        self.kernel(1e-6)

    def clock(self) -> float:
        return self.host

    def allocate(self, size: int, device: Any) -> FakeScratch:
        if self.capturing is not None:
            raise RuntimeError("CUDA error: operation not permitted when stream is capturing")
        return FakeScratch(self, size)

    # torch.cuda

    def is_available(self) -> bool:
        return self.available

    def device_count(self) -> int:
        return self.devices

    def current_device(self) -> int:
        return self.index

    def get_device_name(self, device: Any = None) -> str:
        return "Made Up 9000"

    def get_device_capability(self, device: Any = None) -> tuple[int, int]:
        return self.capability

    def get_device_properties(self, device: Any) -> Any:
        return SimpleNamespace(L2_cache_size=self.l2, uuid=self.uuid)

    @contextlib.contextmanager
    def device(self, device: Any) -> Iterator[None]:
        before, self.index = self.index, device.index
        try:
            yield
        finally:
            self.index = before

    def synchronize(self, device: Any = None) -> None:
        if self.capturing is not None:
            self.spoiled = True
            raise RuntimeError("CUDA error: operation not permitted when stream is capturing")
        self.synchronised += 1
        self.host = max(self.host, self.free)

    def Event(self, enable_timing: bool = False) -> FakeEvent:  # noqa: N802
        return FakeEvent(self, enable_timing)

    def Stream(self) -> FakeStream:  # noqa: N802
        self.streams.append(FakeStream())
        return self.streams[-1]

    def CUDAGraph(self) -> FakeGraph:  # noqa: N802
        return FakeGraph(self)

    def current_stream(self) -> FakeStream:
        return self.current

    @contextlib.contextmanager
    def stream(self, stream: FakeStream) -> Iterator[None]:
        before, self.current = self.current, stream
        try:
            yield
        finally:
            self.current = before

    def graph(self, cuda_graph: FakeGraph, *, stream: FakeStream) -> _Capture:
        return _Capture(self, cuda_graph, stream)

    def get_sync_debug_mode(self) -> int:
        return self.mode

    def set_sync_debug_mode(self, debug_mode: int | str) -> None:
        if not self.warned:  # once a process
            warnings.warn("Synchronization debug mode is a prototype feature", stacklevel=1)
        self.warned = True
        self.mode = {"default": 0, "warn": 1, "error": 2}.get(debug_mode, debug_mode)  # type: ignore[arg-type, assignment]

    def memory_allocated(self, device: Any = None) -> int:
        return self.held

    def max_memory_allocated(self, device: Any = None) -> int:
        return self.peak

    def reset_peak_memory_stats(self, device: Any = None) -> None:
        self.peak = self.held

    def profile(self) -> FakeProfile:
        return FakeProfile(self)


class _Capture:
    """``torch.cuda.graph``: where ending the capture fails, neither the stream nor the generator is put back."""

    def __init__(self, cuda: FakeCuda, graph: FakeGraph, stream: FakeStream) -> None:
        self.cuda, self.graph, self.stream = cuda, graph, stream

    def __enter__(self) -> None:
        cuda = self.cuda
        cuda.synchronize()
        if cuda.broken and not cuda.recovers:
            raise RuntimeError("CUDA error: an illegal memory access was encountered")
        if any(graph() is None for graph in cuda.broken):
            raise AssertionError("the allocator asks a graph that is gone")
        assert self.stream is not cuda.default, "CUDA graphs must be captured on a non-default stream."
        self.before, cuda.current = cuda.current, self.stream
        cuda.capturing, cuda.spoiled, cuda.generator_captures = self.graph, False, True
        cuda.captures.append(self.graph)

    def __exit__(self, *_: object) -> None:
        cuda, cuda.capturing = self.cuda, None
        if cuda.spoiled:
            cuda.broken.append(weakref.ref(self.graph))
            cuda.captures.remove(self.graph)
            raise RuntimeError("CUDA error: operation failed due to a previous error during capture")
        cuda.generator_captures = False
        if not self.graph.nodes:
            warnings.warn(
                "The CUDA Graph is empty. This usually means that the graph was attempted to be captured on wrong device or stream.", stacklevel=1
            )
        cuda.current = self.before


class FakeProfile:
    """``torch.profiler.profile`` of the fake's device: among its kernels a host operation, an annotated range, another device's kernel."""

    def __init__(self, cuda: FakeCuda) -> None:
        self.cuda = cuda

    def __enter__(self) -> FakeProfile:
        self.first = len(self.cuda.ran)
        return self

    def __exit__(self, *_: object) -> None:
        self.seen = [ran for ran in self.cuda.ran[self.first :] if ran[3] <= self.cuda.host]  # what is not over by now is lost

    def events(self) -> list[Any]:
        made = [_event(name, "DeviceType.CUDA", index, begin, end) for name, index, begin, end in self.seen]
        if made:
            begin, end = self.seen[0][2], self.seen[-1][3]
            made.append(_event("aten::mm", "DeviceType.CPU", 0, begin, end))
            made.append(_event("ProfilerStep#1", "DeviceType.CUDA", 0, begin, end, annotation=True))
            made.append(_event("elsewhere", "DeviceType.CUDA", 7, begin, end))
        return made


def _event(name: str, kind: str, index: int, begin: float, end: float, annotation: bool = False) -> Any:
    span = SimpleNamespace(start=begin * 1e6, end=end * 1e6)
    return SimpleNamespace(name=name, device_type=kind, device_index=index, time_range=span, is_user_annotation=annotation)


def launches(cuda: FakeCuda, seconds: float, count: int = 1, cold: float = 0.0) -> Callable[[], None]:
    """A workload of so many kernels."""

    def call() -> None:
        for _ in range(count):
            cuda.kernel(seconds, cold)

    return call
