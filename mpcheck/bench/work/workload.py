"""One prepared piece of work, and how long a call of it takes that was never made before."""

from __future__ import annotations

import contextlib
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Any

import torch

from mpcheck._cuda import CUDA
from mpcheck._errors import InputError
from mpcheck._raised import ENDS, raised
from mpcheck._unsupported import Unsupported
from mpcheck.adapters.blocks import Block
from mpcheck.bench.keys import BenchKey
from mpcheck.bench.work.hostclock import HostClock


class UnsupportedError(Exception):
    """Why a workload cannot run here; its text goes into ``unsupported(reason)``.

    Attributes:
        why: the reason as fields. side: of a pair of launches, ``base``, ``head`` or ``both``; empty elsewhere.
    """

    def __init__(self, why: Unsupported | str, side: str = "") -> None:
        self.why = why if isinstance(why, Unsupported) else Unsupported("not-applicable", why)
        self.side = side
        super().__init__(f"{side}: {self.why}" if side else str(self.why))


def once(call: Callable[[], Any], device: torch.device) -> float:
    """Seconds of one call that may never have been made before, until it is done; on a CPU without the time in which others ran."""
    if device.type != "cuda":
        clock = HostClock()
        try:
            return clock.seconds(call)
        finally:
            clock.close()
    CUDA.synchronize(device)
    began = time.perf_counter()
    call()
    CUDA.synchronize(device)
    return max(time.perf_counter() - began, 1e-9)


@contextlib.contextmanager
def told_apart() -> Iterator[None]:
    """What a foreign call raises as an UnsupportedError, of the code ``raised`` where it is no missing implementation."""
    try:
        yield
    except (*ENDS, InputError, UnsupportedError):
        raise
    except BaseException as error:
        told = raised(error)
        why = Unsupported("no-operation", told.line) if told.missing else Unsupported("raised", f"raised {told.text}")
        raise UnsupportedError(why) from error


@dataclass
class Workload:
    """One prepared piece of work.

    Attributes:
        call: does it once; on CUDA it returns when the work is queued.
        device: where it runs.
        first_call: seconds that the first call took, with whatever upstream compiles or sets up in it.
        reshaped: makes the same piece of work on a structure more, or less where there are several: other numbers of atoms and edges.
    """

    key: BenchKey
    block: Block
    call: Callable[[], Any]
    device: torch.device
    first_call: float
    reshaped: Callable[[], Callable[[], Any]] | None = None
