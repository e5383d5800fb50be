"""One process on chosen processors, with as many threads: what was before is put back."""

from __future__ import annotations

import contextlib
import gc
import os
from collections.abc import Iterator, Sequence

import torch


def processors() -> list[int]:
    """Processors that this process may run on; empty where the platform does not tell."""
    return sorted(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else []


@contextlib.contextmanager
def pinned(chosen: Sequence[int]) -> Iterator[None]:
    """Run on these processors, with one thread each, and without the garbage collector's pauses."""
    before, threads, collecting = processors(), torch.get_num_threads(), gc.isenabled()
    try:
        if chosen and before:
            os.sched_setaffinity(0, chosen)
        torch.set_num_threads(max(1, len(chosen)))
        gc.collect()
        gc.disable()
        yield
    finally:
        if collecting:
            gc.enable()
        torch.set_num_threads(threads)
        if chosen and before:
            os.sched_setaffinity(0, before)
