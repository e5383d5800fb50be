"""Drift of a conserved energy: a robust line with the error that its correlated residuals allow."""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np
from scipy import stats

from mpcheck.dynamics.statistics.correlated import inefficiency
from mpcheck.dynamics.trajectory import Floats

BLOCKS = 50
"""Block means that the line is laid through; their number bounds the cost of the median of slopes."""
LEAST = 8
EFFICIENCY = 1.0 / 0.955
"""Variance of the median of slopes over that of least squares with normal residuals (Sen 1968, section 6: 3/π)."""


@dataclass(frozen=True)
class Drift:
    """How a conserved energy changes.

    Attributes:
        slope, error: meV/atom/ps and its standard error.
        relative: |slope · length| over the standard deviation of the kinetic energy, MLIP Audit's measure of stability.
        spread: meV/atom, standard deviation of the energy about the line.
        length_ps: of the run.
        freedom: degrees of freedom of the error.
    """

    slope: float
    error: float
    relative: float
    spread: float
    length_ps: float
    freedom: float

    @property
    def p(self) -> float:
        """Two-sided, of no drift, by the t-test."""
        return 2.0 * float(stats.t.sf(abs(self.sigmas), self.freedom))

    @property
    def sigmas(self) -> float:
        """Slope in units of its error."""
        return self.slope / self.error if self.error > 0 else math.copysign(math.inf, self.slope) if self.slope else 0.0


def drift(time: Floats, conserved: Floats, kinetic: Floats, atoms: int) -> Drift:
    """Line through block means by the median of slopes (Theil 1950; Sen 1968), which single bursts do not turn.

    The error is that of least squares with the residuals' own variance, widened by their statistical inefficiency, since energies of
    neighbouring blocks may still be correlated (Flyvbjerg & Petersen 1989, doi:10.1063/1.457480); that is widened by 1 + 10/N for N
    independent blocks, since a fitted line hides a part of it. Measured on energies without drift that remember 0.05, 0.2, 0.6 and 2 ps of 20: their
    slope exceeds two errors in 4, 5, 8 and 12 of 100 runs instead of in 6, 7, 14 and 21. ``p`` knows besides how few blocks there are: 4, 5, 7, 9.

    Args:
        time: [samples] ps, evenly spaced. conserved: [samples] eV, total energy in NVE. kinetic: [samples] eV.

    Raises:
        ValueError: fewer than eight samples, or energies that are not finite.
    """
    if len(time) < LEAST:
        raise ValueError(f"a drift needs {LEAST} samples at least")
    if not bool(np.isfinite(conserved).all() and np.isfinite(kinetic).all()):
        raise ValueError("an energy is not finite")
    count = min(BLOCKS, len(time) // 2) if len(time) >= 2 * LEAST else len(time)
    parts = np.array_split(np.arange(len(time)), count)
    energy = (conserved - conserved[0]) * (1e3 / atoms)
    at = np.array([time[part].mean() for part in parts])
    means = np.array([energy[part].mean() for part in parts])
    slope, intercept, _, _ = (float(value) for value in stats.theilslopes(means, at))
    rest = means - (intercept + slope * at)
    g = inefficiency(rest)
    g *= 1.0 + 10.0 * g / count
    variance = float((rest**2).sum()) / (count - 2) * g * EFFICIENCY
    error = math.sqrt(variance / float(((at - at.mean()) ** 2).sum()))
    length = float(time[-1] - time[0])
    moving = float(kinetic.std(ddof=1))
    change = abs(slope) * length * atoms * 1e-3
    relative = change / moving if moving > 0 else math.inf if change else 0.0
    return Drift(slope, error, relative, float((energy - intercept - slope * time).std(ddof=1)), length, max(1.0, count / g - 2.0))
