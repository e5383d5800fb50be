"""What a process spends on a benchmark before its steady state: its first calls, and the first ones on another number of structures.

Compilation is what they are about. TorchScript compiles in the second call, what it profiled in the first; compilers of other kinds
compile in the first one, or for every new shape; a batch with one structure more than the last is what every user's loader gives.
"""

from __future__ import annotations

import hashlib
import math
from collections.abc import Callable, Iterable, Sequence
from typing import Any

import torch

from mpcheck.bench.keys import BenchKey, parse_id
from mpcheck.bench.work.workload import UnsupportedError, Workload, once, told_apart
from mpcheck.bench.work.workloads import Workloads

CALLS = 2  # timed together: TorchScript compiles in the second


def first_calls(call: Callable[[], Any], device: torch.device, made: float = 0.0) -> float:
    """Seconds of the first :data:`CALLS` calls together.

    Args:
        made: seconds of the very first one, where it was made already.
    """
    return math.fsum([made, *(once(call, device) for _ in range(CALLS - bool(made)))])


def another_shape(workload: Workload) -> float:
    """Seconds of the first calls on another number of structures.

    Raises:
        UnsupportedError: it cannot run there; of the code ``raised`` where it should have.
    """
    if workload.reshaped is None:
        raise UnsupportedError("it has one shape only")
    with told_apart():
        return first_calls(workload.reshaped(), workload.device)


def start(workloads: Workloads, key: BenchKey) -> dict[str, Any]:
    """The first calls of a benchmark in this process, as data: ``first_call`` and ``first``, in seconds.

    Raises:
        UnsupportedError: it cannot run here.
    """
    with workloads.opened(key, fresh=True) as workload, told_apart():
        return {"first_call": workload.first_call, "first": first_calls(workload.call, workload.device, workload.first_call)}


def reshape(workloads: Workloads, key: BenchKey) -> dict[str, Any]:
    """The first calls of a benchmark on another shape, as data: ``shape`` in seconds, or None for the reason ``refused``.

    ``broken`` says that it should have run.
    """
    try:
        with workloads.opened(key, fresh=True) as workload:
            return {"shape": another_shape(workload), "refused": "", "broken": False}
    except UnsupportedError as error:
        return {"shape": None, "refused": str(error), "broken": error.why.code == "raised"}


def in_order(names: Sequence[str]) -> list[str]:
    """Benchmarks in the order of their first calls: parts before what holds them, so that what compiles is what is slow."""
    return sorted(names, key=lambda n: -str(parse_id(n)["subject"]).count("."))


def digest(before: Iterable[str]) -> str:
    """Of the benchmarks that a process has called before."""
    return hashlib.sha256("\n".join(before).encode()).hexdigest()[:12]
