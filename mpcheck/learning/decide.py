"""Whether a regime trains as well as float64: paired by seed, with an interval, and by two one-sided tests.

Both trainings of a pair begin with the same weights and see the same batches, so that what a seed makes of a training cancels. Equivalence is
concluded where the 90 % interval of the mean difference lies within the margin, which is two one-sided tests at 5 % (Schuirmann 1987,
doi:10.1007/BF01068419); a difference where the 95 % interval lies outside of it.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final, Literal

import numpy as np
from scipy import stats

Decision = Literal["equivalent", "different", "cannot tell"]
MARGIN: Final = 10.0
"""Percent of float64's RMSE."""


@dataclass(frozen=True)
class Decided:
    """Percent of the reference: mean difference, its 95 % interval, and what follows from it."""

    mean: float
    low: float
    high: float
    decision: Decision


def decided(values: Sequence[float], reference: Sequence[float], margin: float = MARGIN) -> Decided:
    """A decision on RMSE by seed, against the reference's by the same seeds.

    Args:
        margin: of equivalence, percent of the reference's mean.

    Raises:
        ValueError: other seeds than the reference's.
    """
    if len(values) != len(reference):
        raise ValueError("values are paired by seed")
    own, theirs = np.asarray(values, dtype=float), np.asarray(reference, dtype=float)
    differences = 100 * (own - theirs) / theirs.mean()
    mean, seeds = float(differences.mean()), len(differences)
    if not np.isfinite(differences).all():
        return Decided(math.nan, -math.inf, math.inf, "different")
    if seeds < 2:
        return Decided(mean, -math.inf, math.inf, "cannot tell")
    error = float(differences.std(ddof=1)) / math.sqrt(seeds)
    wide, narrow = (float(stats.t.ppf(q, seeds - 1)) * error for q in (0.975, 0.95))
    low, high = mean - wide, mean + wide
    if -margin < mean - narrow and mean + narrow < margin:
        return Decided(mean, low, high, "equivalent")
    return Decided(mean, low, high, "different" if low > margin or high < -margin else "cannot tell")
