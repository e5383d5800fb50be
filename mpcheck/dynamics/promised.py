"""What difference of a mean a policy's error on frames of the float64 run promises, and whether a measured one is that."""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np

from mpcheck.dynamics.statistics.correlated import sampled
from mpcheck.dynamics.statistics.reweighting import BLOCKS, shift
from mpcheck.dynamics.trajectory import Floats

SIGMAS = 3.0
WITHIN = 0.25
"""Of a promise: what first order leaves out. Float8 weights of the built-in model on diamond shift its energy by 125 meV/atom, where 124 ± 0.2 are
promised."""
OVERLAP = 0.25
"""Share of the frames that an exponential average rests on: below it the change is no small one, such as where an energy has steps of 30 kT."""


@dataclass(frozen=True)
class Promised:
    """A difference and its standard error, in the observable's unit."""

    difference: float
    error: float


def promised(observable: Floats, change: Floats, temperature: float, own_change: Floats | None, length_ps: float) -> Promised | None:
    """To first order (Zwanzig 1954), where the error is small beside the thermal energy; where it is not, of an observable that the policy computes
    otherwise by that alone, since then nothing is known of how the atoms answer.

    Args:
        observable, change, temperature, own_change: see :func:`mpcheck.dynamics.statistics.reweighting.shift`. length_ps: of the frames together.

    Returns:
        None where nothing can be told.
    """
    own = None
    if own_change is not None and len(own_change) >= 8:
        found = sampled(own_change, length_ps)
        own = Promised(found.mean, 0.0 if math.isnan(found.error) else found.error)
    if len(observable) < 2 * BLOCKS or not bool(np.isfinite(change).all()):
        return own
    first = shift(observable, change, temperature, own_change)
    return Promised(first.first, first.error) if first.reliable and first.overlap > OVERLAP else own


def unexplained(difference: float, error: float, by: Promised, margin: float) -> float:
    """What is left of a measured difference beyond what was promised, where it is more than the margin and more than chance; else 0.

    Args:
        error: standard error of the measured difference.
    """
    left = difference - by.difference
    return left if abs(left) > margin + WITHIN * abs(by.difference) and abs(left) > SIGMAS * math.hypot(error, by.error) else 0.0
