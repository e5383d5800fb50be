"""The observables in which a policy is compared with float64, as series of a run: what pairs by seed, sample by sample."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass

import numpy as np

from mpcheck.dynamics.observables.bulk import density
from mpcheck.dynamics.observables.drift import drift
from mpcheck.dynamics.observables.motion import centre_of_mass
from mpcheck.dynamics.observables.structure import coordination
from mpcheck.dynamics.statistics.correlated import Sample
from mpcheck.dynamics.trajectory import Floats, Trajectory

SHELL = 3.5
"""Å within which neighbours are counted: the first shell of hydrogen bonds, two of covalent ones."""


@dataclass(frozen=True)
class Compared:
    """An observable.

    Attributes:
        unit: of it. by_frame: whether it has one value a frame, instead of one a sample.
        series: from a trajectory; values that are no numbers where it does not exist.
    """

    unit: str
    by_frame: bool
    series: Callable[[Trajectory], Floats]


def _scalars(trajectory: Trajectory) -> Mapping[str, Floats]:
    series = trajectory.series
    assert series is not None, "runs have scalars"
    return {name: getattr(series, name) for name in series.names()}


def displaced(trajectory: Trajectory) -> Floats:
    """[frames] Å²: mean squared displacement from the first frame, the centre of mass at rest."""
    moved = trajectory.positions - centre_of_mass(trajectory)[:, None]
    return np.asarray(((moved - moved[0]) ** 2).sum(axis=2).mean(axis=1), dtype=np.float64)


COMPARED: dict[str, Compared] = {
    "temperature_K": Compared("K", False, lambda t: _scalars(t)["temperature"]),
    "potential_meV_per_atom": Compared("meV/atom", False, lambda t: _scalars(t)["potential_energy"] / t.atoms * 1e3),
    "pressure_GPa": Compared("GPa", False, lambda t: _scalars(t)["pressure"]),
    "density_g_per_cm3": Compared("g/cm³", False, lambda t: density(_scalars(t)["volume"], t.masses)),
    "largest_force_eV_per_A": Compared("eV/Å", False, lambda t: _scalars(t)["largest_force"]),
    "msd_A2": Compared("Å²", True, displaced),
    "neighbours": Compared("neighbours", True, lambda t: coordination(t, SHELL)),
}  # fmt: skip
DRIFT, DRIFT_UNIT = "drift_meV_per_atom_ps", "meV/atom/ps"


def drift_samples(policy: Trajectory, reference: Trajectory, conserved: tuple[Floats, Floats]) -> tuple[Sample, float]:
    """A seed's difference of drifts, with the error of a slope; and the reference's drift.

    The slope of the difference: what both runs fluctuate by alike is no error of it.

    Args:
        conserved: [samples] eV of both.
    """
    series, other = policy.series, reference.series
    assert series is not None and other is not None, "runs have scalars"
    apart = drift(series.time, conserved[0] - conserved[1], other.kinetic_energy, reference.atoms)
    own = drift(other.time, conserved[1], other.kinetic_energy, reference.atoms)
    length = float(series.time[-1] - series.time[0])
    return Sample(apart.slope, apart.error, apart.freedom, apart.freedom + 2.0, length), own.slope
