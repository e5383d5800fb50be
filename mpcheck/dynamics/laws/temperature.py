"""Is the temperature the thermostat's, of all atoms and of each element, and is the kinetic energy distributed as it must be?"""

from __future__ import annotations

import math
from collections.abc import Sequence

import numpy as np
from scipy import stats

from mpcheck.dynamics.laws.law import CHANCE, Law
from mpcheck.dynamics.observables.thermal import by_species, group_temperatures
from mpcheck.dynamics.statistics.correlated import LEAST, Sample, sampled
from mpcheck.dynamics.statistics.ensemble import kinetic_distribution
from mpcheck.dynamics.statistics.equivalence import estimate
from mpcheck.dynamics.trajectory import Floats, Trajectory

WINDOWS = 10
ALL, EACH = 100, 30
"""Independent samples, of all runs and of each. With fewer, p-values of sound runs of 0.2 ps were 1e-6."""


def mean_law(name: str, unit: str, samples: Sequence[Sample], expected: float, what: str) -> Law:
    """Whether a mean over seeds is what it must be.

    Args:
        what: is off, for people.
    """
    found = estimate(samples)
    about = {"name": name, "unit": unit, "measured": found.mean, "expected": expected}
    if not found.variance > 0 or found.freedom <= 0:
        return Law(**about, state="cannot tell", reason="the runs are too short to tell the error of their mean")  # type: ignore[arg-type]
    error = math.sqrt(found.variance)
    p = 2 * float(stats.t.sf(abs(found.mean - expected) / error, found.freedom))
    told = f"{what} {found.mean:.4g} ± {error:.2g} {unit} instead of {expected:.4g}" if p < CHANCE else ""
    return Law(**about, state="broken" if p < CHANCE else "holds", error=error, p_value=p, reason=told)  # type: ignore[arg-type]


def temperature(series: Sequence[Floats], length_ps: Sequence[float], target: float, freedom: float) -> Law:
    """Of all atoms; series [samples] K of each seed.

    Before means are tested, whose errors short runs do not know, each tenth of a run is: however its samples are correlated, their mean is
    no further from the target than single ones are, which are distributed as gamma.
    """
    name = "temperature"
    for values in series:
        for part in np.array_split(values, min(WINDOWS, len(values))):
            kinetic = stats.gamma(freedom / 2, scale=2 * target / freedom)
            mean = float(part.mean())
            p = 2 * float(min(kinetic.cdf(mean), kinetic.sf(mean)))
            if not p >= CHANCE * 1e-3:
                told = f"the temperature is {mean:.4g} K in a tenth of a run, instead of {target:.4g}"
                return Law(name, "broken", "K", mean, target, target * math.sqrt(2 / freedom), p, told)
    if min(map(len, series)) < LEAST:
        return Law(name, "cannot tell", "K", reason=f"fewer than {LEAST} samples")
    samples = [sampled(one, length) for one, length in zip(series, length_ps, strict=True)]
    return mean_law(name, "K", samples, target, "the temperature is")


def equipartition(trajectories: Sequence[Trajectory], target: float, scale: float) -> list[Law]:
    """Of each element: all must have one temperature (Tolman 1938, §38).

    Args:
        scale: that temperatures by three degrees of freedom an atom, less the centre of mass's, are multiplied by, where a thermostat counts
            otherwise.
    """
    groups = by_species(trajectories[0])
    if len(groups) < 2:
        return []
    if min(trajectory.frames for trajectory in trajectories) < LEAST:
        return [Law(f"temperature of {name}", "cannot tell", "K", reason=f"fewer than {LEAST} frames") for name in groups]
    found: dict[str, list[Sample]] = {name: [] for name in groups}
    for trajectory in trajectories:
        for name, values in group_temperatures(trajectory, groups, momentum_at_rest=True).items():
            found[name].append(sampled(values * scale, float(trajectory.time[-1] - trajectory.time[0])))
    return [mean_law(f"temperature of {name}", "K", samples, target, f"the temperature of {name} is") for name, samples in found.items()]


def distribution(series: Sequence[Floats], target: float, freedom: float) -> Law:
    """Of kinetic energies [samples] eV of each seed: a gamma distribution (Merz and Shirts 2018), by physical_validation.

    Long runs alone can tell: of runs that are as short as their own memory, thinning leaves samples that look independent and are not.
    """
    name = "kinetic-energy distribution"
    known = [sampled(one, 1.0).effective for one in series if len(one) >= LEAST]
    if len(known) < len(series) or min(known, default=0.0) < EACH or sum(known) < ALL:
        return Law(name, "cannot tell", "K", reason=f"{sum(known):.0f} independent samples, {ALL} are needed, and {EACH} of each run")
    try:
        found = kinetic_distribution(np.concatenate(series), target, freedom)
    except ValueError as error:
        return Law(name, "cannot tell", "K", reason=str(error))
    told = f"kinetic energies have a width of {found.width_kelvin:.4g} K" if found.p < CHANCE else ""
    return Law(name, "broken" if found.p < CHANCE else "holds", "K", found.width_kelvin, target, p_value=found.p, reason=told)
