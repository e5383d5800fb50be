"""Lasting changes of a series of latencies: PELT proposes, a test with a margin confirms.

PELT (Killick et al. 2012, doi:10.1080/01621459.2012.737745; ruptures) alone finds changes in unchanged series, mostly at one-point
spikes and where noise is correlated. So outliers are cut off before it, and each change that it proposes must then hold on the
raw values: the shift between the two segments beside it, the median of all differences (Hodges & Lehmann 1963), is compared with
its standard error, and must exceed a margin by a part of that error. The least certain one is dropped, and the rest judged again,
until all hold. The noise is estimated from winsorised residuals, and is taken for larger where they are correlated.
"""

from __future__ import annotations

import itertools
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
import ruptures
from scipy import stats

Values = npt.NDArray[np.float64]
MIN_SIZE = 5
"""Points that a change must last for. Three also passed spikes, but found twice as many changes in correlated noise."""
MARGIN = float(np.log(1.02))
PENALTY = 3.0  # times log(length), for values in units of their noise; 2 is the BIC's
CERTAIN = 4.5  # standard errors from no shift: of the largest of some fifty places where a change may be
BEYOND = 2.0  # standard errors from the margin
NORMAL = float(stats.norm.ppf(0.75))  # of a median absolute deviation
EFFICIENCY = np.pi / 3  # variance of the Hodges-Lehmann shift over that of a difference of means, normal values
CUT = 2.5  # standard deviations at which residuals are cut off
OUTLIER = 3.5  # likewise points, before PELT sees them
QUANTUM = 1e-4  # least noise: figures are stored at six digits, and a constant series has none


@dataclass(frozen=True)
class LevelShift:
    """A change of the level.

    Attributes:
        index: of the first point after it.
        effect: of the logarithm; low, high: its 95 % interval.
    """

    index: int
    effect: float
    low: float
    high: float


def successive_noise(y: Values) -> float:
    """Standard deviation from the median absolute difference of neighbours, which changes of the level hardly touch."""
    return max(QUANTUM, float(np.median(np.abs(np.diff(y))) / NORMAL / np.sqrt(2)))


def without_outliers(y: Values) -> Values:
    """Points far from the median of their five neighbours, replaced by it (Hampel's filter)."""
    windows = np.lib.stride_tricks.sliding_window_view(y, 5)
    middle = np.median(windows, axis=1)[np.clip(np.arange(len(y)) - 2, 0, len(windows) - 1)]
    return np.where(np.abs(y - middle) > OUTLIER * successive_noise(y), middle, y)


def residual_noise(parts: Sequence[Values]) -> float:
    """Standard deviation about the segments' medians that matters for a mean of many: larger where neighbours are alike.

    Residuals are winsorised, which keeps nearly all of a standard deviation's precision under spikes and heavy tails. Their
    correlation r inflates it by sqrt((1 + r) / (1 - r)), as in a first-order autoregressive process.
    """
    residuals = [part - np.median(part) for part in parts]
    flat = np.concatenate(residuals)
    rough = float(np.median(np.abs(flat))) / NORMAL
    cut = [np.clip(r, -CUT * rough, CUT * rough) for r in residuals]
    squares = sum(float((r**2).sum()) for r in cut)
    if squares <= 0:
        return QUANTUM
    r = min(0.7, max(0.0, sum(float((part[:-1] * part[1:]).sum()) for part in cut) / squares))
    scale = np.sqrt(squares / max(1, len(flat) - len(parts)))
    return max(QUANTUM, float(scale * np.sqrt((1 + r) / (1 - r))))


def proposed(y: Values) -> list[int]:
    """Where PELT cuts, on values in units of their noise."""
    clean = without_outliers(y) / successive_noise(y)
    search = ruptures.Pelt(model="l2", min_size=MIN_SIZE, jump=1).fit(clean)
    return [int(i) for i in search.predict(pen=PENALTY * np.log(len(y)))[:-1]]


def _measured(y: Values, places: Sequence[int]) -> list[tuple[float, float]]:
    """Shift and standard error at each place, between the segments beside it."""
    bounds = [0, *places, len(y)]
    parts = [y[a:b] for a, b in itertools.pairwise(bounds)]
    noise = residual_noise(parts)
    return [
        (float(np.median(np.subtract.outer(right, left))), noise * float(np.sqrt(EFFICIENCY * (1 / len(left) + 1 / len(right)))))
        for left, right in itertools.pairwise(parts)
    ]


def shifts(values: Sequence[float]) -> list[LevelShift]:
    """Lasting changes of positive values, oldest first. None in a series shorter than two segments.

    Measured over 1,000 simulated series of each kind, 10 to 60 points long. Unchanged series in which a change was found, at noise
    0.5, 1.5 and 4 %: white 0, 0.1, 0.4 %; Student's t with 3 degrees of freedom 0, 0, 0.4 %; white with one-point spikes of 5 to 25
    standard deviations 0, 0, 0 %; autoregressive with coefficient 0.3: 0, 0.2, 1.5 %. A step of 5 % at noise 1.5 % with at least
    five points on each side was found in 96 % (five points on either side and no more: 68 %, eight: 90 %).
    """
    if len(values) < 2 * MIN_SIZE:
        return []
    y = np.log(np.asarray(values, dtype=np.float64))
    places = proposed(y)
    while places:
        steps = _measured(y, places)
        certainty = [min(abs(d) / error / CERTAIN, (abs(d) - MARGIN) / error / BEYOND) for d, error in steps]
        weakest = int(np.argmin(certainty))
        if certainty[weakest] >= 1:
            quantile = float(stats.t.ppf(0.975, len(y) - len(places) - 1))
            return [LevelShift(i, d, d - quantile * e, d + quantile * e) for i, (d, e) in zip(places, steps, strict=True)]
        places.pop(weakest)
    return []
