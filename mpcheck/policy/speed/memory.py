"""The most memory that a call holds at one time."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from typing import Any

import torch
from torch.profiler import ProfilerActivity, profile

from mpcheck._garbage import no_collection
from mpcheck.adapters.backends.casting import tensors_of
from mpcheck.bench.cost.device import peak_on_device


def peak_bytes(call: Callable[[], Any], device: torch.device) -> int:
    """Bytes that torch's allocator handed out at one time during a call, beyond what was in use before it.

    On a CPU by the allocator's own reports to the profiler: code that a compiler made allocates past the dispatcher.
    """
    if device.type == "cuda":
        return peak_on_device(call, device)
    with no_collection(), profile(activities=[ProfilerActivity.CPU], profile_memory=True) as recorded:
        result = call()
    del result
    return highest(int(e.nbytes()) for e in recorded.profiler.kineto_results.events() if e.name() == "[memory]")


def highest(changes: Iterable[int]) -> int:
    """The largest running sum of bytes taken (positive) and given back (negative), in the order of time."""
    held = most = 0
    for change in changes:
        held += change
        most = max(most, held)
    return most


def stored_bytes(model: torch.nn.Module) -> int:
    """Bytes of a model's parameters and buffers, memory that several share counted once."""
    tensors = tensors_of(model)
    return sum({t.untyped_storage().data_ptr(): t.untyped_storage().nbytes() for t in tensors}.values())
