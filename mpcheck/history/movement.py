"""When a figure of two runs differs by more than chance: the one rule of every comparison."""

from __future__ import annotations

import math

from mpcheck.formats import FLOAT64
from mpcheck.records.detail import Latency

RELATIVE, LEAST, FLOOR = 0.15, 0.2, 0.03
"""Of a rounding ratio. Two sound evaluations of one quantity, summed in other orders, differ in it by what independent roundings do: a
tenth, which is also the drift gate's rule. Half as much again is left for the few roundings of small tensors, and a ratio below
``LEAST`` is judged as that one, because a small ratio is known worse."""
OTHER_RELATIVE, OTHER_FLOOR = 0.35, 0.05
"""Likewise, between two sound pieces of code of the same mathematics, whose roundings are other ones altogether. Measured: SiLU written as
``x * sigmoid(x)`` and a Bessel basis in another order, in every block of the built-in model that has them: 5 of 370 cells moved beyond
``RELATIVE``, gradients of few weights in 16 bits, the most from 0.81 to 1.05."""
MANY, SHARE = 10, 0.25
"""Cells, and their share among those that are not bit-identical, from which on even small growth is no chance."""
REFERENCE, SOUND = FLOAT64.name, 0.7
"""Format of the references, and the ratio of sound code (`docs/ratios.md`)."""
LATENCY = 0.03
"""Of a median nobody judged: the margin of the latency gate against stored figures."""
SPREADS = 2.0  # of two medians' difference, below which it is told of no one


def distance(before: float | None, after: float | None) -> float:
    """How far a ratio moved; infinite where one of them is not finite."""
    if before is None or after is None:
        return 0.0 if before is after else math.inf
    return abs(after - before)


def beyond(before: float | None, after: float | None) -> bool:
    """Whether a rounding ratio moved by more than another order of the same operations would move it.

    Both runs are measured against float64 references with the same noise scale, so that this needs no draws.
    """
    return distance(before, after) > RELATIVE * max(before or 0.0, LEAST) + FLOOR


def grown(before: float | None, after: float | None) -> bool:
    """Whether a ratio has grown by more than other sound code of the same mathematics would make it grow."""
    larger = after is None or (before is not None and after > before)
    return larger and distance(before, after) > OTHER_RELATIVE * max(before or 0.0, LEAST) + OTHER_FLOOR


def starting(before: float | None, fmt: str) -> float | None:
    """The ratio from which growth counts; in the format of the references not less than that of sound code.

    There code is compared with what itself has computed, so that its errors are the reference's. Any other sound rounding of the same
    mathematics is some 0.7 away from that reference, which says nothing against it.
    """
    return max(before, SOUND) if before is not None and fmt == REFERENCE else before


def unjudged_effect(before: Latency, after: Latency) -> tuple[float, float] | None:
    """Relative change of a latency's median, and the spread of that change, of two that nobody decided.

    None where either has no median. The spread is the standard deviation of the logarithm between launches, of both together; infinite
    where a side was measured in one launch.
    """
    old, new = before.median_ms, after.median_ms
    if old is None or new is None or min(old, new) <= 0:
        return None
    known = [side.spread_percent / 100 for side in (before, after) if side.spread_percent is not None]
    return new / old - 1, math.hypot(*known) if len(known) == 2 else math.inf


def worth_telling(effect: float, spread: float) -> bool:
    """Whether an undecided change of a median is larger than the margin and than its own spread."""
    return abs(effect) > max(LATENCY, SPREADS * spread)
