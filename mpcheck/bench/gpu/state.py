"""A GPU's state while something was measured: clocks, throttling, energy; and what that makes of the measurement."""

from __future__ import annotations

import contextlib
import itertools
import statistics
import threading
from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Any

import pynvml
import torch
from scipy.integrate import trapezoid

from mpcheck._cuda import CUDA, CudaApi
from mpcheck._errors import InputError
from mpcheck.bench.gpu.nvml import Gpu, GpuState, opened_gpu, reason_names, throttling

INTERVAL = 0.02
"""Seconds between samples."""
MIN_STEPS = 10
"""Fewest steps of the energy counter, or readings of power, in a window whose energy is told: one step is up to 10 % of it."""
MAX_WATTS = 2000.0
"""More than any board of today draws: energy beyond it is a counter that was reset, not one that wrapped."""


@dataclass(frozen=True)
class Conditions:
    """A GPU over one window of time; None where the device does not tell.

    Attributes:
        seconds: length of the window; samples: states read in it.
        sm_mhz_min, sm_mhz_median: of the SM clock; sm_mhz_max: the highest that the device can run at.
        throttled: share of the samples in which it throttled; reasons: why, most frequent first.
        throttled_mhz: lowest SM clock among those samples.
        settings: what else held the clocks, harmlessly.
        joules: drawn by the whole board, idle power in it; joules_reason: where they come from, or why there are none.
    """

    seconds: float
    samples: int
    sm_mhz_min: int | None
    sm_mhz_median: float | None
    sm_mhz_max: int | None
    throttled: float | None
    throttled_mhz: int | None
    reasons: tuple[str, ...]
    settings: tuple[str, ...]
    celsius_max: int | None
    watts_median: float | None
    joules: float | None
    joules_reason: str


def counter_joules(first: GpuState, last: GpuState, limit_watts: float | None = None) -> tuple[float | None, str]:
    """Energy between two states by the board's counter, in joules; None with the reason.

    A counter that went back wrapped, at 32 or 64 bits, if the energy is then one that the board can draw in that time; else it was reset.
    """
    if first.energy_mj is None or last.energy_mj is None:
        return None, "no energy counter"
    step, seconds = last.energy_mj - first.energy_mj, last.at - first.at
    if step < 0:
        step += 1 << (32 if first.energy_mj < 1 << 32 else 64)
    if step * 1e-3 > 2 * (limit_watts or MAX_WATTS) * max(seconds, 1.0):
        return None, "the energy counter was reset"
    return step * 1e-3, "energy counter"


def energy(states: Sequence[GpuState], gpu: Gpu) -> tuple[float | None, str]:
    """Joules over a window by the board's counter, else by power integrated over time; None with the reason."""
    if gpu.mig:
        return None, "a MIG slice: the board counts all slices together"
    counts = [s.energy_mj for s in states]
    if counts and None not in counts:
        steps = sum(a != b for a, b in itertools.pairwise(counts))
        if steps < MIN_STEPS:
            return None, f"too coarse: the energy counter made {steps} steps in the window, fewer than {MIN_STEPS}; measure for longer"
        return counter_joules(states[0], states[-1], gpu.limit_watts)
    drawn = [(s.at, s.watts) for s in states if s.watts is not None]
    if not drawn:
        return None, "the device tells neither energy nor power"
    if len(drawn) < MIN_STEPS:
        return None, f"too coarse: {len(drawn)} readings of power in the window, fewer than {MIN_STEPS}; measure for longer"
    return float(trapezoid([w for _, w in drawn], [t for t, _ in drawn])), "power integrated over time"


class GpuWatch:
    """Samples of a GPU's state, by a thread and on demand."""

    def __init__(self, gpu: Gpu, api: Any = pynvml) -> None:
        self.gpu = gpu
        self._api = api
        self._states: list[GpuState] = []
        self._lock = threading.Lock()

    def sample(self) -> GpuState:
        """Read the state now, and keep it. A sample where a window begins and ends makes its figures exact."""
        with self._lock:  # readings of two threads stay in order
            state = self.gpu.state()
            self._states.append(state)
        return state

    def conditions(self, since: float | None = None, until: float | None = None) -> Conditions:
        """Of the samples from one time to another, in seconds of the clock; without bounds, of all.

        A window that holds fewer than two samples also takes in the last one before it and the first one after it.
        """
        with self._lock:
            states = list(self._states)
        states = states or [self.sample()]
        low, high = states[0].at if since is None else since, states[-1].at if until is None else until
        inside = [s for s in states if low <= s.at <= high]
        if len(inside) < 2:
            inside = [s for s in states if s.at < low][-1:] + inside + [s for s in states if s.at > high][:1]
        return self._summary(inside, high - low)

    def _summary(self, states: Sequence[GpuState], seconds: float) -> Conditions:
        clocks = [s.sm_mhz for s in states if s.sm_mhz is not None]
        masks = [(s.mask, s.sm_mhz) for s in states if s.mask is not None]
        held = [(throttling(mask, self._api), mhz) for mask, mhz in masks]
        slow = [(why, mhz) for why, mhz in held if why]
        every = {name for mask, _ in masks for name in reason_names(mask, self._api)}
        reasons = tuple(name for name, _ in Counter(name for why, _ in slow for name in why).most_common())
        joules, reason = energy(states, self.gpu)
        return Conditions(
            seconds=seconds,
            samples=len(states),
            sm_mhz_min=min(clocks, default=None),
            sm_mhz_median=statistics.median(clocks) if clocks else None,
            sm_mhz_max=self.gpu.max_sm_mhz,
            throttled=len(slow) / len(held) if held else None,
            throttled_mhz=min((mhz for _, mhz in slow if mhz is not None), default=None),
            reasons=reasons,
            settings=tuple(sorted(every - set(reasons))),
            celsius_max=max((s.celsius for s in states if s.celsius is not None), default=None),
            watts_median=statistics.median(w) if (w := [s.watts for s in states if s.watts is not None]) else None,
            joules=joules,
            joules_reason=reason,
        )


@contextlib.contextmanager
def watching(
    device: torch.device, *, interval: float | None = INTERVAL, cuda: CudaApi = CUDA, api: Any = pynvml, **options: Any
) -> Iterator[GpuWatch | str]:
    """Watch a GPU while the block lasts: a sample before, one after, and one every ``interval`` seconds by a thread (none if None).

    ``options`` go to :func:`mpcheck.bench.gpu.nvml.opened_gpu`. Where the device or NVML is unavailable, the reason stands in the watch's stead.
    """
    with opened_gpu(device, cuda=cuda, api=api, **options) as gpu:
        if isinstance(gpu, str):
            yield gpu
            return
        watch, ended, failed = GpuWatch(gpu, api), threading.Event(), list[Exception]()

        def follow(seconds: float) -> None:
            try:
                while not ended.wait(seconds):
                    watch.sample()
            except Exception as error:  # a thread's own exception would be printed and lost
                failed.append(error)

        watch.sample()
        thread = None if interval is None else threading.Thread(target=follow, args=(interval,), name="nvml", daemon=True)
        if thread is not None:
            thread.start()
        try:
            yield watch
        finally:
            ended.set()
            if thread is not None:
                thread.join()
            watch.sample()
        if failed:
            raise failed[0]


def usable(conditions: Conditions | None) -> str | None:
    """Why a round must be discarded: the GPU throttled in it. None where it did not, or where nobody can tell."""
    if conditions is None or not conditions.throttled:
        return None
    clock = f" at {conditions.throttled_mhz:,}" if conditions.throttled_mhz is not None else ""
    most = f" of {conditions.sm_mhz_max:,} MHz" if clock and conditions.sm_mhz_max is not None else " MHz" if clock else ""
    return f"throttled ({', '.join(conditions.reasons)}{clock}{most})"


def usable_rounds(rounds: Sequence[Conditions | None], index: int = 0) -> list[int]:
    """Positions of the rounds to keep.

    Raises:
        InputError: the GPU, torch's number ``index``, throttled in more than half of them.
    """
    kept = [n for n, conditions in enumerate(rounds) if usable(conditions) is None]
    bad = [c for c in rounds if c is not None and usable(c) is not None]
    if 2 * len(bad) <= len(rounds):
        return kept
    why = Counter(name for c in bad for name in c.reasons).most_common(1)[0][0]
    slow = [c.throttled_mhz for c in bad if c.throttled_mhz is not None]
    most = next((c.sm_mhz_max for c in bad if c.sm_mhz_max is not None), None)
    clock = f" at {min(slow):,}{f' of {most:,}' if most is not None else ''} MHz" if slow else ""
    summary = f"GPU {index} throttled in {len(bad)} of {len(rounds)} rounds ({why}{clock})"
    raise InputError(f"{summary}; cool it, lower the power draw or lock the clocks, then measure again")
