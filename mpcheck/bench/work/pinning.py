"""A process held still: on chosen processors, with so many threads, without the garbage collector; what was before is put back."""

from __future__ import annotations

import contextlib
import gc
import os
from collections.abc import Iterator, Sequence

import torch

from mpcheck._cores import processors
from mpcheck._garbage import no_collection


@contextlib.contextmanager
def torch_threads(count: int) -> Iterator[None]:
    """So many threads for torch's operations."""
    before = torch.get_num_threads()
    torch.set_num_threads(count)
    try:
        yield
    finally:
        torch.set_num_threads(before)


@contextlib.contextmanager
def pinned(chosen: Sequence[int]) -> Iterator[None]:
    """Run on these processors, with one thread each, and without the garbage collector's pauses."""
    before = processors()
    try:
        if chosen and before:
            os.sched_setaffinity(0, chosen)
        gc.collect()  # once; a tenth of a second
        with torch_threads(max(1, len(chosen))), no_collection():
            yield
    finally:
        if chosen and before:
            os.sched_setaffinity(0, before)
