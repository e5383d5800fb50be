"""Does the conserved energy fluctuate with the square of the timestep, as that of a symplectic integrator does?"""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np

from mpcheck.dynamics.statistics.correlated import jackknife
from mpcheck.dynamics.statistics.quiet import physical_validation, quiet
from mpcheck.dynamics.trajectory import Floats


@dataclass(frozen=True)
class Convergence:
    """Fluctuations of a conserved energy at several timesteps.

    Attributes:
        deviation: largest |1 - ratio of fluctuations / ratio of squared timesteps| between neighbouring timesteps, by physical_validation.
        order, error: slope of log fluctuation against log timestep and its standard error; 2 where it converges.
        spreads: eV, standard deviation by timestep in fs.
    """

    deviation: float
    order: float
    error: float
    spreads: dict[float, float]

    @property
    def sigmas(self) -> float:
        """Distance of the order from 2 in units of its error."""
        return abs(self.order - 2.0) / self.error if self.error > 0 else math.inf


def convergence(conserved: Mapping[float, Floats]) -> Convergence:
    """Compare runs that differ in the timestep only.

    Rounding errors and forces that do not belong to the energy add fluctuations that do not shrink with the timestep, and a timestep that is too
    large adds more than its square: both move the order away from 2.

    Args:
        conserved: [samples] eV by timestep in fs; runs should have the same length in ps.

    Raises:
        ValueError: fewer than two timesteps, or an energy that is not finite or does not fluctuate.
    """
    if len(conserved) < 2 or min(conserved) <= 0:
        raise ValueError("convergence needs runs at two positive timesteps")
    if not all(bool(np.isfinite(values).all()) for values in conserved.values()):
        raise ValueError("a conserved energy is not finite: that run has exploded")
    found = {step: jackknife(values, lambda rows: float(rows.std())) for step, values in sorted(conserved.items())}
    if any(spread <= 0 for spread, _ in found.values()):
        raise ValueError("a conserved energy that does not fluctuate at all says nothing of the integrator")
    with quiet():
        package = physical_validation()
        runs = [
            package.data.SimulationData(dt=step, observables=package.data.ObservableData(constant_of_motion=values))
            for step, values in conserved.items()
        ]
        deviation = float(package.integrator.convergence(runs, verbose=False))
    at = np.log(list(found))
    logs = np.log([spread for spread, _ in found.values()])
    errors = np.array([error / spread for spread, error in found.values()])
    arms = (at - at.mean()) / float(((at - at.mean()) ** 2).sum())
    return Convergence(deviation, float(arms @ logs), math.sqrt(float((arms**2) @ errors**2)), {step: spread for step, (spread, _) in found.items()})
