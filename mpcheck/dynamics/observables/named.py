"""Observables by name, each with its unit: what a policy is compared with the float64 run in."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass

import numpy as np

from mpcheck.dynamics.observables.bulk import density
from mpcheck.dynamics.trajectory import Floats, Series


@dataclass(frozen=True)
class Observable:
    """One observable.

    Attributes:
        unit: to be shown.
        of: [samples] of a series and the masses [atoms] in amu; NaN where the system has no such thing.
    """

    unit: str
    of: Callable[[Series, Floats], Floats]


OBSERVABLES: Mapping[str, Observable] = {
    "temperature": Observable("K", lambda series, masses: series.temperature),
    "potential energy": Observable("eV/atom", lambda series, masses: series.potential_energy / len(masses)),
    "density": Observable("g/cm³", lambda series, masses: density(series.volume, masses)),
    "pressure": Observable("GPa", lambda series, masses: series.pressure),
    "largest force": Observable("eV/Å", lambda series, masses: series.largest_force),
}


def observed(series: Series, masses: Floats) -> dict[str, Floats]:
    """[samples] of every observable that the run has, by name; what is NaN throughout is left out.

    Raises:
        ValueError: NaN in some samples only.
    """
    found = {name: one.of(series, masses) for name, one in OBSERVABLES.items()}
    present = {name: values for name, values in found.items() if not bool(np.isnan(values).all())}
    for name, values in present.items():
        if not bool(np.isfinite(values).all()):
            raise ValueError(f"{name} is not finite in some samples")
    return present
