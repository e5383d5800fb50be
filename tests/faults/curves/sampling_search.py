"""The smallest size of a fault that is seen."""

from __future__ import annotations

import math
from collections.abc import Callable

SMALLEST, LARGEST, STEP = 0.25, 4096.0, 1.04
"""Noise scales between which is searched, and the factor to which a size is found."""


def half(sizes: list[float]) -> float | None:
    """The size from which on half of the plantings are seen; None where that is never."""
    middle = sorted(sizes)[(len(sizes) - 1) // 2 + (len(sizes) + 1) % 2]
    return middle if math.isfinite(middle) else None


def smallest(seen: Callable[[float], bool], near: float) -> float:
    """The smallest size that is seen, to a factor of ``STEP``; infinite where the largest is not. Begins at a size that is thought to be near it."""
    near = min(max(near, SMALLEST), LARGEST) if math.isfinite(near) else 8.0
    low, high, reach = near, near, 1.5
    if seen(near):
        while low > SMALLEST and seen(low := max(SMALLEST, high / reach)):
            high, reach = low, reach**2
    else:
        while not seen(high := min(LARGEST, low * reach)):
            if high >= LARGEST:
                return math.inf
            low, reach = high, reach**2
    while high > low * STEP:
        middle = math.sqrt(low * high)
        low, high = (low, middle) if seen(middle) else (middle, high)
    return high
