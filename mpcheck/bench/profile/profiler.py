"""Where a whole model's time goes, from torch's profiler: record ranges around every block, in steady state."""

from __future__ import annotations

import functools
import gc
import gzip
import time
from collections.abc import Callable, Iterable
from pathlib import Path
from typing import Any

import torch
from torch._C._autograd import DeviceType
from torch.profiler import ProfilerActivity, profile, record_function

from mpcheck._cuda import CUDA
from mpcheck._errors import InputError
from mpcheck._files.io import atomic_path
from mpcheck._garbage import no_collection
from mpcheck.adapters.facts.ranges import PREFIX, Ranges
from mpcheck.bench.keys import MODEL, BenchKey
from mpcheck.bench.profile.attribution import ROOT, CallCost, Event, Kind, attribute
from mpcheck.bench.profile.map import ProfileMap, bound, fastest_calls, fastest_mean, rows_of
from mpcheck.bench.work.workload import Workload
from mpcheck.bench.work.workloads import Workloads

STRETCH = 3  # calls profiled together, then as many without a profiler: slow drifts of the machine hit both
TRACED = 2  # calls in an exported trace
BUDGET = 6.0  # seconds
LEAST_WARM_UP = 3  # TorchScript watches two calls and compiles in the third
_NODE = "autograd::engine::evaluate_function: "
_ALLOCATING = frozenset("empty empty_like empty_strided new_empty new_empty_strided resize_ set_".split())
_WAITING = ("cudaStreamSynchronize", "cudaDeviceSynchronize", "cudaEventSynchronize", "cudaMemcpy", "hipStreamSynchronize", "hipDeviceSynchronize")


@functools.cache
def computes(name: str) -> bool:
    """Whether an operation, by its name in a trace (``aten::mm``), computes or moves data on the CPU itself.

    By torch's dispatcher: it has a CPU kernel of its own (others only call operations that have), is no view and allocates nothing.
    """
    space, _, short = name.partition("::")
    if not short or short in _ALLOCATING:
        return False
    if short == "copy_":
        return True  # moves data itself, though registered for all devices at once
    packet = getattr(getattr(torch.ops, space, None), short, None)
    if not isinstance(packet, torch._ops.OpOverloadPacket):
        return False
    return any(_has_kernel(overload := getattr(packet, o)) and not _is_view(overload) for o in packet.overloads())


def _has_kernel(overload: Any) -> bool:
    try:
        return bool(overload.has_kernel_for_dispatch_key(torch._C.DispatchKey.CPU))
    except RuntimeError:  # TorchScript's own, which the dispatcher does not know
        return False


def _is_view(overload: Any) -> bool:
    return any(a.alias_info is not None and not a.alias_info.is_write for a in overload._schema.arguments)


def convert(events: Iterable[Any], device: str) -> list[Event]:
    """Host events of a profiler with what attribution needs of them, and on each what it launched on the GPU.

    Args:
        events: kineto's events: of operations and ranges, of CUDA's runtime and of kernels. The latter two name the operation that
            they belong to by its correlation number. Torch's own list of them is twenty times slower to make.
        device: ``cpu`` or ``cuda``: where kernels run, and so what computes.
    """
    host, linked = list[Any](), list[Any]()
    for event in events:
        if not event.is_async():
            (linked if event.linked_correlation_id() > 0 else host).append(event)
    host = [e for e in host if e.device_type() == DeviceType.CPU and not e.name().startswith("[")]
    threads = {e.correlation_id(): e.start_thread_id() for e in host}
    busy, launches = dict[int, float](), dict[int, int]()
    for event in linked:
        owner = event.linked_correlation_id()
        if event.device_type() == DeviceType.CPU:
            host.append(event)  # CUDA's runtime: launches, synchronisation
        elif not event.name().startswith(PREFIX):  # or else a range's shadow on the GPU's timeline
            busy[owner] = busy.get(owner, 0.0) + event.duration_ns() / 1000
            launches[owner] = launches.get(owner, 0) + 1
    return [_event(e, device, threads, busy, launches) for e in host]


def _event(event: Any, device: str, threads: dict[int, int], busy: dict[int, float], launches: dict[int, int]) -> Event:
    name, start, number = event.name(), event.start_ns() / 1000, event.correlation_id()
    kind, owner = _kind(name, device), event.linked_correlation_id()
    thread = threads.get(owner, event.start_thread_id()) if owner > 0 else event.start_thread_id()
    own = owner == 0 and device != "cpu"
    return Event(
        name.removeprefix(PREFIX) if kind == "range" else name, start, start + event.duration_ns() / 1000, thread, kind,
        event.sequence_nr(), event.fwd_thread_id(), busy.get(number, 0.0) if own else 0.0,
        int(kind == "compute") if device == "cpu" else (launches.get(number, 0) if own else 0),
    )  # fmt: skip


@functools.cache
def _kind(name: str, device: str) -> Kind:
    if name.startswith(PREFIX):
        return "range"
    if name.startswith(_NODE):
        return "node"
    if device == "cpu":
        return "compute" if computes(name) else "other"
    return "waiting" if name.startswith(_WAITING) and "Async" not in name else "other"


def finished(workload: Workload) -> Callable[[], None]:
    """One call that returns when its work is done, also on a GPU."""

    def call() -> None:
        workload.call()
        if workload.device.type == "cuda":
            CUDA.synchronize(workload.device)

    return call


def profile_model(
    workloads: Workloads, key: BenchKey, warmup: int = 5, calls: int = 24, trace: Path | None = None, budget: float = BUDGET
) -> ProfileMap:
    """Map one call of the whole model to its blocks.

    Args:
        key: its subject is ``model``.
        warmup: calls before anything is measured, at least 3.
        calls: profiled ones, three at a time; as many unprofiled ones lie between them.
        trace: file of a Chrome trace of two more calls (``.json`` or ``.json.gz``).
        budget: seconds after which no further stretch begins; the map says how many calls were made.

    Raises:
        InputError: fewer than one call, another subject than the model, or a trace that cannot be written.
        UnsupportedError: the workload cannot run here.
    """
    if calls < 1 or warmup < 0:
        raise InputError(f"{calls} calls after {warmup} of warm-up: profile at least 1 call, after 0 or more")
    if key.subject != MODEL:
        raise InputError(f"profile of {key.subject!r}: only the whole model is mapped to its blocks; give subject {MODEL!r}")
    with workloads.opened(key) as workload:
        module = workloads.backend(key.backend).module(workload.block)
        assert module is not None  # the whole model is one
        made, samples, dtypes = _measure(workload, module, max(warmup, LEAST_WARM_UP), calls, trace, budget)
    device = workload.device.type
    fastest = fastest_calls(made)
    rows = rows_of(fastest, device, dtypes)
    end_to_end = sum(c.duration for c in fastest) / len(fastest) * 1e-6
    whole = next(r.total for r in rows if r.block == ROOT)
    return ProfileMap(
        key, device, rows, end_to_end, fastest_mean(samples), tuple(samples), len(fastest), len(made), bound(device, whole)
    )  # fmt: skip


def _measure(
    workload: Workload, module: torch.nn.Module, warmup: int, calls: int, trace: Path | None, budget: float
) -> tuple[list[CallCost], list[float], dict[str, set[str]]]:
    call, device = finished(workload), workload.device.type
    ranges, watching = Ranges(module), Ranges(module, watch_dtypes=True)
    for _ in range(warmup):
        call()
    with watching.marking():
        call()
    costs, samples = list[CallCost](), list[float]()
    began_at = time.perf_counter()
    gc.collect()
    with no_collection():
        for length in [min(STRETCH, calls - done) for done in range(0, calls, STRETCH)]:
            if costs and time.perf_counter() - began_at > budget:
                break
            for _ in range(length):
                began = time.perf_counter()
                call()
                samples.append(time.perf_counter() - began)
            costs += attribute(convert(_events(_record(call, ranges, length + 1, device)), device))[1:]
        if trace is not None:
            _export(_record(call, ranges, TRACED, device), trace)
    return costs, samples, watching.dtypes


def _record(call: Callable[[], None], ranges: Ranges, calls: int, device: str) -> profile:
    """Profile some calls; the first of them pays for the profiler's start."""
    activities = [ProfilerActivity.CPU] + ([ProfilerActivity.CUDA] if device == "cuda" else [])
    recording: profile = profile(activities=activities)
    with ranges.marking(), recording:
        for _ in range(calls):
            with record_function(PREFIX + ROOT):
                call()
    return recording


def _events(recording: profile) -> Iterable[Any]:
    results = recording.profiler.kineto_results if recording.profiler is not None else None
    if results is None:
        raise RuntimeError("torch's profiler recorded nothing")
    events: Iterable[Any] = results.events()
    return events


def _export(recording: profile, path: Path) -> None:
    with atomic_path(path) as temporary:
        plain = temporary.with_suffix(".json")
        try:
            recording.export_chrome_trace(str(plain))
            data = plain.read_bytes()
        finally:
            plain.unlink(missing_ok=True)
        temporary.write_bytes(gzip.compress(data, 6) if path.suffix == ".gz" else data)
