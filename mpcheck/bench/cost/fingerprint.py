"""The noise-free cost of one steady-state call: what it launches, computes, moves, casts, holds and waits for, counted.

Nothing is timed, so the same code on the same kind of device gives the same numbers on every machine and on every run.
"""

from __future__ import annotations

import logging
import weakref
from collections import Counter
from collections.abc import Callable
from typing import Any

import torch

from mpcheck._errors import error_line
from mpcheck._garbage import no_collection
from mpcheck.bench.cost.device import DeviceCost, device_cost, peak_on_device
from mpcheck.bench.cost.operations import OperationCost, cost_of, tensors_in
from mpcheck.bench.cost.round_trips import counted_reads
from mpcheck.bench.figures import Fingerprint
from mpcheck.bench.work.pinning import torch_threads
from mpcheck.bench.work.workload import UnsupportedError, Workload
from mpcheck.reference.dispatch import DispatchMode

WARM_CALLS = 2
"""Before anything is counted: TorchScript profiles its first call, and replaces operations from the second on."""
ATTEMPTS = 8
"""Counted calls until two in a row agree; what changes for longer is not a steady state."""


class CostMode(DispatchMode):
    """Adds up the cost of every aten operation, also those inside TorchScript and of the backward pass.

    Memory is followed by storage: from the operation that made it to the moment when nothing refers to it any more. On a CPU
    that is the reference count's, hence the same on every run while the garbage collector is off.
    """

    def __init__(self) -> None:
        super().__init__()
        self.operations: Counter[str] = Counter()
        self.casts: Counter[str] = Counter()
        self.syncs: Counter[str] = Counter()
        self.launches = self.multiply_adds = self.bytes_moved = 0
        self.held = self.peak = 0
        self._live: dict[int, weakref.ref[Any]] = {}

    def __torch_dispatch__(self, func: Any, types: Any, args: Any = (), kwargs: Any = None) -> Any:
        kwargs = kwargs or {}
        given = tensors_in(args) + tensors_in(kwargs) if kwargs else tensors_in(args)
        result = func(*args, **kwargs)
        made = tensors_in(result)
        known = {t.untyped_storage()._cdata for t in given}
        for tensor in made:
            storage = tensor.untyped_storage()
            if storage._cdata not in known:
                self._hold(storage)
        cost = cost_of(func, args, kwargs, given, result, made, known)
        if cost is not None:
            self._add(cost)
        return result

    def _add(self, cost: OperationCost) -> None:
        self.operations[cost.name] += 1
        self.launches += cost.launches
        self.multiply_adds += cost.multiply_adds
        self.bytes_moved += cost.bytes_moved
        self.casts.update(cost.casts)
        if cost.sync:
            self.syncs[cost.name] += 1

    def _hold(self, storage: torch.UntypedStorage) -> None:
        """Follow new memory until it is freed."""
        key, size = storage._cdata, storage.nbytes()
        if key in self._live or not size:
            return

        def freed(_: Any) -> None:
            if self._live.pop(key, None) is not None:
                self.held -= size

        self._live[key] = weakref.ref(storage, freed)
        self.held += size
        self.peak = max(self.peak, self.held)

    def fingerprint(self) -> Fingerprint:
        """What was counted so far, kernels and graph breaks aside."""
        return Fingerprint(
            operations=_sorted(self.operations),
            launches=self.launches,
            multiply_adds=self.multiply_adds,
            bytes_moved=self.bytes_moved,
            casts=_sorted(self.casts),
            peak_bytes=self.peak,
            syncs=_sorted(self.syncs),
        )


def _sorted(counts: Counter[str]) -> dict[str, int]:
    return {name: counts[name] for name in sorted(counts) if counts[name]}


def counted(call: Callable[[], Any]) -> Fingerprint:
    """The cost of this very call on the device-independent level: operations, not kernels."""
    mode, reads = CostMode(), Counter[str]()
    with counted_reads(reads), mode:
        result = call()
    cost = mode.fingerprint()
    cost = cost.model_copy(update={"round_trips": _sorted(mode.syncs + reads)})
    del result  # held until here: a call's results belong to its peak
    return cost


def fingerprint(workload: Workload, compiled: bool = False) -> Fingerprint:
    """What one steady-state call of a workload costs.

    Args:
        compiled: also count the graph breaks of torch.compile's tracing, which takes seconds; None where it cannot be traced.

    On a CPU ``launches`` are the operations for which a GPU would launch a kernel, and ``peak_bytes`` is of tensors. On CUDA
    both are measured: by torch's profiler and by the caching allocator.

    Raises:
        UnsupportedError: its cost differs from call to call, so there is nothing to gate.
    """
    with torch_threads(1), no_collection():
        for _ in range(WARM_CALLS):
            workload.call()
        cost = _steady(lambda: counted(workload.call))
        if workload.device.type == "cuda":
            device: DeviceCost = device_cost(workload.call, workload.device)
            syncs = Counter(cost.syncs) + Counter(device.syncs)
            cost = cost.model_copy(
                update={
                    "kernels": device.kernels,
                    "launches": device.launches,
                    "syncs": _sorted(syncs),
                    "peak_bytes": peak_on_device(workload.call, workload.device),
                }
            )
        return cost.model_copy(update={"graph_breaks": _graph_breaks(workload.call)}) if compiled else cost


def _steady(count: Callable[[], Fingerprint]) -> Fingerprint:
    before = count()
    for _ in range(ATTEMPTS - 1):
        now = count()
        if now == before:
            return now
        before = now
    raise UnsupportedError(f"its cost differs from call to call, still after {WARM_CALLS + ATTEMPTS} calls: nothing to compare")


def graph_breaks(call: Callable[[], Any]) -> int:
    """How often torch.compile would leave its graph in one call. Dynamo's caches are emptied before and after.

    Raises:
        UnsupportedError: the tracer itself fails, as it does on e3nn's classes of irreps inside a whole model.
    """
    import torch._dynamo

    log = logging.getLogger("torch._guards")
    level = log.level
    torch._dynamo.reset()
    try:
        log.setLevel(logging.CRITICAL)  # its errors are those raised below, over twenty lines each
        return int(torch._dynamo.explain(call)().graph_break_count)
    except Exception as error:  # whatever the tracer raises on foreign code
        raise UnsupportedError(f"torch.compile cannot trace it: {error_line(error)}") from error
    finally:
        log.setLevel(level)
        torch._dynamo.reset()


def _graph_breaks(call: Callable[[], Any]) -> int | None:
    try:
        return graph_breaks(call)
    except UnsupportedError:
        return None
