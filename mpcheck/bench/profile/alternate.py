"""Times of several callables, called in turn in one process, and how much faster one is than another."""

from __future__ import annotations

import gc
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass

import numpy as np
from scipy.stats import bootstrap

from mpcheck._garbage import no_collection

FEWEST, MOST = 5, 100
LEVEL = 0.95


def alternate(calls: Mapping[str, Callable[[], object]], seconds: float, warmup: int = 3) -> dict[str, list[float]]:
    """Seconds of one call of each, round by round, each round in the other order than the one before.

    Args:
        calls: each must return when its work is done.
        seconds: to spend; 5 to 100 rounds, by how long the first one takes.
        warmup: calls of each before.

    What slows the machine for a while slows all of them, so that ratios within a round are steadier than times.
    """
    names, times = list(calls), {name: list[float]() for name in calls}
    for _ in range(warmup):
        for call in calls.values():
            call()
    rounds, place = MOST, 0
    gc.collect()
    with no_collection():
        while place < rounds:
            began = time.perf_counter()
            for name in names if place % 2 == 0 else names[::-1]:
                start = time.perf_counter()
                calls[name]()
                times[name].append(time.perf_counter() - start)
            if place == 0:
                rounds = int(min(MOST, max(FEWEST, seconds / (time.perf_counter() - began))))
            place += 1
    return times


@dataclass(frozen=True)
class Speedup:
    """How many times faster: ratio of the medians, and its 95 % confidence interval within this one process."""

    ratio: float
    low: float
    high: float


def speedup(slow: Sequence[float], fast: Sequence[float], seed: int = 0) -> Speedup:
    """Median of ``slow`` over median of ``fast``, with a percentile bootstrap over rounds (Efron & Tibshirani 1993, chapter 13).

    Args:
        slow, fast: seconds of the same rounds, at least 2.
        seed: of the resampling.

    Raises:
        ValueError: fewer than two rounds, or unequal numbers of them.

    One process is one launch: the interval tells of rounds, not of how launches differ.
    """
    if len(slow) != len(fast) or len(slow) < 2:
        raise ValueError(f"{len(slow)} and {len(fast)} rounds: a speed-up needs two or more paired ones")
    ratio = float(np.median(slow) / np.median(fast))

    def of(a: np.ndarray, b: np.ndarray, axis: int = -1) -> np.ndarray:
        quotient: np.ndarray = np.median(a, axis=axis) / np.median(b, axis=axis)
        return quotient

    interval = bootstrap(
        (np.asarray(slow), np.asarray(fast)), of, paired=True, vectorized=True, n_resamples=2000, confidence_level=LEVEL, method="percentile",
        random_state=np.random.default_rng(seed),
    ).confidence_interval  # fmt: skip
    return Speedup(ratio, float(interval.low), float(interval.high))
