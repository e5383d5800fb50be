"""Which rounds of a measurement count: on a GPU those in which it did not throttle, on a CPU all."""

from __future__ import annotations

import contextlib
import time
from collections.abc import Callable, Iterator
from typing import Any

import torch

from mpcheck.bench.gpu.state import Conditions, GpuWatch, usable_rounds, watching


class Rounds:
    """Keeps when each round began and ended.

    Attributes:
        reason: why the device is not watched; empty where it is, or where there is nothing to watch.
    """

    def __init__(self, watch: GpuWatch | str | None, clock: Callable[[], float]) -> None:
        self._watch = watch if isinstance(watch, GpuWatch) else None
        self._clock = clock
        self._spans: list[tuple[float, float]] = []
        self.reason = watch if isinstance(watch, str) else ""

    @contextlib.contextmanager
    def round(self) -> Iterator[None]:
        """One round is what happens meanwhile; one that raises is none. Costs two readings of the host's clock."""
        began = self._clock()
        yield
        self._spans.append((began, self._clock()))

    def conditions(self) -> list[Conditions | None]:
        """Of each round, in order; None of each where the device is not watched. A round between two samples has the states of both."""
        if self._watch is None:
            return [None] * len(self._spans)
        self._watch.sample()  # after the last round
        return [self._watch.conditions(*span) for span in self._spans]

    def kept(self) -> list[int]:
        """Positions of the rounds that count.

        Raises:
            InputError: the GPU throttled in more than half of them.
        """
        return usable_rounds(self.conditions(), self._watch.gpu.index if self._watch is not None else 0)


@contextlib.contextmanager
def judged_rounds(device: torch.device, *, clock: Callable[[], float] = time.perf_counter, **options: Any) -> Iterator[Rounds]:
    """Watch a device over all rounds of a measurement. ``options`` go to :func:`mpcheck.bench.gpu.state.watching`."""
    if device.type != "cuda":
        yield Rounds(None, clock)
        return
    with watching(device, clock=clock, **options) as watch:
        yield Rounds(watch, clock)
