"""Units that stored figures are told in, and which launches may be compared with them."""

from __future__ import annotations

import math
from collections.abc import Sequence

import numpy as np

from mpcheck.bench.figures import CROWDED, Launch

CHOOSING = 6  # launches of a baseline from which the kernel that varies least with a benchmark can be told from chance
USUAL = "all"  # yardstick of a baseline with fewer launches


def yardstick_of(launches: Sequence[Launch]) -> str:
    """The kernel in whose units a benchmark's launches vary least; their mean where there are too few to tell."""
    names = [n for n in launches[0].normalised if all(n in launch.normalised for launch in launches)]
    if len(launches) < CHOOSING:
        return USUAL
    spread = {n: float(np.var([math.log(launch.normalised[n]) for launch in launches])) for n in names}
    return min(spread, key=lambda n: (spread[n], n))


def undisturbed(launches: Sequence[Launch]) -> Sequence[Launch]:
    """Launches that had their processor for themselves; all of them where fewer than two had."""
    own = [launch for launch in launches if launch.waiting <= CROWDED]
    return own if len(own) >= 2 else launches


def crowding(launches: Sequence[Launch]) -> str:
    """Why launches cannot be compared with stored ones, in a line; empty where they can."""
    shares = [launch.waiting for launch in undisturbed(launches)]
    if not shares or max(shares) <= CROWDED:
        return ""
    return f"others ran on the same processor {100 * max(shares):.0f} % of the time; wait for a quieter one, or compare with --against"
