"""How many times faster one candidate is than another, with an interval, from rounds of several processes.

Times of one round share what the machine does meanwhile, so the ratio is taken inside a process, and the process (launch) is the unit of
replication: where memory lies differs from launch to launch, not from round to round (Kalibera & Jones 2013).
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from scipy import stats

from mpcheck.bench.timing.sampling import typical

LEVEL = 0.95
RESAMPLES = 1000


@dataclass(frozen=True)
class Speedup:
    """How many times faster.

    Attributes:
        ratio: time of the slower by the faster; low, high: 95 % confidence interval.
        launches: that it rests on. Of one, the interval tells of its rounds alone.
    """

    ratio: float
    low: float
    high: float
    launches: int

    def __str__(self) -> str:
        """``2.31 (2.25 to 2.38)``."""
        return f"{self.ratio:.3g} ({self.low:.3g} to {self.high:.3g})"


def speedup(slow: Sequence[Sequence[float]], fast: Sequence[Sequence[float]], seed: int = 0) -> Speedup:
    """Mean over launches of the logarithm of the ratio of lower-half means, and Student's interval; of one launch, a paired bootstrap.

    Args:
        slow, fast: seconds of the same rounds, launch by launch. seed: of the resampling.

    Raises:
        ValueError: no launch, launches or rounds of unequal number, or one round alone.
    """
    if not slow or len(slow) != len(fast) or any(len(a) != len(b) or len(a) < 2 for a, b in zip(slow, fast, strict=False)):
        raise ValueError("a speed-up needs launches with two or more rounds of both")
    logs = np.array([math.log(typical(a) / typical(b)) for a, b in zip(slow, fast, strict=True)])
    mean = float(logs.mean())
    if len(logs) == 1:
        low, high = _resampled(np.asarray(slow[0]), np.asarray(fast[0]), seed)
    else:
        reach = float(stats.t.isf((1 - LEVEL) / 2, len(logs) - 1)) * float(logs.std(ddof=1)) / math.sqrt(len(logs))
        low, high = mean - reach, mean + reach
    return Speedup(math.exp(mean), math.exp(min(low, mean)), math.exp(max(high, mean)), len(logs))


def _resampled(slow: np.ndarray, fast: np.ndarray, seed: int) -> tuple[float, float]:
    """Percentiles of the logarithm of the ratio over rounds drawn anew, in pairs (Efron & Tibshirani 1993, chapter 13)."""
    rows = np.random.default_rng(seed).integers(0, len(slow), (RESAMPLES, len(slow)))
    half = (len(slow) + 1) // 2

    def lower(values: np.ndarray) -> np.ndarray:
        means: np.ndarray = np.sort(values[rows], axis=1)[:, :half].mean(axis=1)
        return means

    low, high = np.quantile(np.log(lower(slow) / lower(fast)), [(1 - LEVEL) / 2, (1 + LEVEL) / 2])
    return float(low), float(high)
