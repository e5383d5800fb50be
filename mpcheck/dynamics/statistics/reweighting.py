"""What shift of a mean a policy's static error predicts, from float64 frames alone.

With ΔU = U_policy - U_64 on frames of the float64 ensemble, the mean of A in the policy's ensemble is <A exp(-βΔU)> / <exp(-βΔU)> (Zwanzig 1954,
doi:10.1063/1.1740409), to first order <A> - β cov(A, ΔU). So a *different* that the static error explains is told from one that it does not:
the latter comes from the dynamics.
"""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np
from ase import units

from mpcheck.dynamics.statistics.correlated import inefficiency, jackknife
from mpcheck.dynamics.trajectory import Floats

BLOCKS = 20


@dataclass(frozen=True)
class Shift:
    """A predicted shift of a mean, in the observable's unit.

    Attributes:
        first, error: to first order, with its standard error by leaving out blocks.
        full: by the exponential average.
        overlap: effective fraction of frames in that average, (Σw)²/(nΣw²); where it is small ``full`` rests on few frames.
        effective: independent frames.
    """

    first: float
    error: float
    full: float
    overlap: float
    effective: float

    @property
    def reliable(self) -> bool:
        """Whether first order and exponential agree within their error, so that the prediction may be used."""
        return abs(self.full - self.first) <= 2.0 * self.error + 0.25 * abs(self.first)


def shift(observable: Floats, change: Floats, temperature: float, own_change: Floats | None = None) -> Shift:
    """Predicted <A>_policy - <A>_64.

    Args:
        observable: [frames] A of float64 frames. change: [frames] eV, ΔU of the whole system; a constant in it has no effect.
        temperature: K.
        own_change: [frames], by how much A itself is another function in the policy, in A's unit: ΔU/N where A is the potential energy per
            atom. None where A depends on positions alone.

    Raises:
        ValueError: rows of other lengths, or fewer than forty frames.
    """
    rows = np.stack([observable, change, np.zeros_like(observable) if own_change is None else own_change], axis=1)
    if len(rows) < 2 * BLOCKS or not bool(np.isfinite(rows).all()):
        raise ValueError(f"a predicted shift needs {2 * BLOCKS} frames of finite numbers")
    beta = 1.0 / (units.kB * temperature)

    def first(some: Floats) -> float:
        deltas = some[:, 1] - some[:, 1].mean()
        return float(some[:, 2].mean() - beta * (some[:, 0] * deltas).mean())

    # a block is to be longer than what the product remembers, or blocks are not independent
    product = (observable - observable.mean()) * (change - change.mean())
    g = max(inefficiency(product), inefficiency(rows[:, 2]))
    value, error = jackknife(rows, first, max(5, min(BLOCKS, int(len(rows) / (4.0 * g)))))
    exponents = -beta * (change - change.mean())
    weights = np.exp(exponents - exponents.max())
    full = float((weights @ (rows[:, 0] + rows[:, 2])) / weights.sum() - rows[:, 0].mean())
    overlap = float(weights.sum() ** 2 / (len(weights) * (weights**2).sum()))
    return Shift(value, error, full, overlap, len(rows) / g)


def explained(difference: float, error: float, by: Shift, sigmas: float = 2.0) -> bool:
    """Whether a measured difference is what the static error predicts: the prediction itself is not zero, and the two agree, both within errors.

    Args:
        difference, error: measured, with its standard error.
    """
    if not by.reliable or abs(by.first) <= sigmas * by.error:
        return False
    return abs(difference - by.first) <= sigmas * math.hypot(error, by.error)
