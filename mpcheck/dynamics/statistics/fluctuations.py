"""How much a quantity fluctuates and how fast, as samples that can be compared: what shows a thermostat or barostat that couples wrongly.

Both are given as logarithms, so that their difference between two runs is a ratio, and a margin of log(1.2) tolerates a fifth.
"""

from __future__ import annotations

import math

import numpy as np
from ase import units

from mpcheck.dynamics.statistics.correlated import Sample, constant, inefficiency, jackknife
from mpcheck.dynamics.trajectory import Floats

BLOCKS = 20


def log_spread(values: Floats, length_ps: float) -> Sample:
    """Logarithm of the standard deviation of a series, with its error by leaving out blocks.

    Raises:
        ValueError: a series that is constant or shorter than forty samples.
    """
    _refuse(values)
    return _logarithm(values, lambda rows: 0.5 * math.log(float(rows.var(ddof=1))), values, length_ps)


def log_time(values: Floats, length_ps: float) -> Sample:
    """Logarithm of a series' own time in ps: its standard deviation over that of its rate.

    √(<δx²>/<ẋ²>) is the inverse angular frequency of a harmonic oscillation and is known long before a correlation time is. A barostat whose
    piston is heavier by nine oscillates slower by three.

    Raises:
        ValueError: as :func:`log_spread`.
    """
    _refuse(values)
    rate = np.gradient(values, length_ps / (len(values) - 1))
    both = np.stack([values, rate], axis=1)
    return _logarithm(both, lambda rows: 0.5 * math.log(float(rows[:, 0].var() / rows[:, 1].var())), values, length_ps)


def _refuse(values: Floats) -> None:
    if len(values) < 2 * BLOCKS or not bool(np.isfinite(values).all()) or constant(values):
        raise ValueError(f"fluctuations need {2 * BLOCKS} finite samples that vary")


def _logarithm(rows: Floats, statistic, values: Floats, length_ps: float) -> Sample:  # type: ignore[no-untyped-def]
    mean, error = jackknife(rows, statistic, BLOCKS)
    return Sample(mean, error, BLOCKS - 1.0, len(values) / inefficiency((values - values.mean()) ** 2), length_ps)


def correlation_time(values: Floats, interval_ps: float) -> float:
    """Integrated autocorrelation time in ps, by pymbar: (g - 1)/2 intervals."""
    return 0.5 * (inefficiency(values) - 1.0) * interval_ps


def volume_spread(temperature: float, volume: float, bulk_modulus_gpa: float) -> float:
    """Å³, standard deviation of the volume in NPT: √(k_B T V / B) (Landau & Lifshitz, Statistical Physics, §112)."""
    return math.sqrt(units.kB * temperature * volume / (bulk_modulus_gpa * units.GPa))
