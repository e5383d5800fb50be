"""Does a simulation sample the ensemble that it claims? physical_validation's tests behind plain functions.

Kinetic energies in NVT and NPT follow a gamma distribution known beforehand (Merz & Shirts 2018, doi:10.1371/journal.pone.0202764), of all
atoms and of each group of them; potential energies at two temperatures must have the ratio of Boltzmann factors (Shirts 2013,
doi:10.1021/ct300688p). NVE has neither.
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
from ase import units
from scipy import stats

from mpcheck.bench.decide.decision import holm
from mpcheck.dynamics.statistics.correlated import thinned
from mpcheck.dynamics.statistics.quiet import physical_validation, quiet
from mpcheck.dynamics.trajectory import Floats

LEAST = 30
"""Independent samples below which neither a width nor its error by bootstrap is worth anything."""
SEED = 20180916
EV_IN_KJ_PER_MOL = units.mol / units.kJ
EV_PER_A3_IN_BAR = 1.0 / units.bar


@dataclass(frozen=True)
class Kinetic:
    """How a kinetic energy lies to its expected distribution.

    Attributes:
        p: of the Kolmogorov-Smirnov test against the gamma distribution. p_adjusted: corrected over the groups tested together.
        mean_kelvin, width_kelvin: temperatures by the mean and by the standard deviation.
        mean_sigmas, width_sigmas: distances of both from the target in units of their bootstrap errors, unsigned.
        effective: independent samples.
    """

    p: float
    p_adjusted: float
    mean_kelvin: float
    width_kelvin: float
    mean_sigmas: float
    width_sigmas: float
    effective: int


def _units() -> Any:
    """ASE's eV, Å, K and eV/Å³ for physical_validation, whose conversions are to kJ/mol, nm and bar."""
    return physical_validation().data.UnitData(
        kb=units.kB,
        energy_conversion=EV_IN_KJ_PER_MOL,
        length_conversion=0.1,
        volume_conversion=1e-3,
        temperature_conversion=1.0,
        pressure_conversion=EV_PER_A3_IN_BAR,
        time_conversion=1.0,
        energy_str="eV",
        length_str="A",
        volume_str="A^3",
        temperature_str="K",
        pressure_str="eV/A^3",
        time_str="ps",
    )


def _enough(values: Floats) -> Floats:
    kept = thinned(np.asarray(values, dtype=np.float64))
    if len(kept) < LEAST:
        raise ValueError(f"{len(kept)} independent samples are too few; {LEAST} are needed")
    return kept


def kinetic_distribution(kinetic: Floats, temperature: float, freedom: float, seed: int = SEED) -> Kinetic:
    """Test one kinetic energy.

    Args:
        kinetic: [samples] eV, of a thermostatted run. temperature: K. freedom: degrees of freedom, which need not be whole.
        seed: of the bootstrap.

    Raises:
        ValueError: fewer than 30 independent samples, or no degrees of freedom.
    """
    if not freedom > 0:
        raise ValueError("there are no degrees of freedom")
    kept = _enough(kinetic)
    atoms = math.ceil(freedom / 3.0)
    with quiet(seed):
        package = physical_validation()
        data = package.data.SimulationData(
            units=_units(),
            system=package.data.SystemData(natoms=atoms, nconstraints=3.0 * atoms - freedom, ndof_reduction_tra=0, ndof_reduction_rot=0),
            ensemble=package.data.EnsembleData("NVT", natoms=atoms, volume=1.0, temperature=temperature),
            observables=package.data.ObservableData(kinetic_energy=kept),
        )
        p = float(package.kinetic_energy.distribution(data, strict=True, verbosity=0, data_is_uncorrelated=True))
        mean, width = package.kinetic_energy.distribution(data, verbosity=0, data_is_uncorrelated=True)
    by_mean = 2.0 * float(kept.mean()) / (freedom * units.kB)
    by_width = math.sqrt(2.0 / freedom) * float(kept.std()) / units.kB
    return Kinetic(p, p, by_mean, by_width, float(mean), float(width), len(kept))


def equipartition(groups: Mapping[str, tuple[Floats, float]], temperature: float, seed: int = SEED) -> dict[str, Kinetic]:
    """Test the kinetic energies of groups: species, molecules' centres of mass, what is within molecules.

    Args:
        groups: by name, kinetic energies [samples] eV and degrees of freedom; see :mod:`mpcheck.dynamics.observables.thermal`.

    Raises:
        ValueError: as :func:`kinetic_distribution`.
    """
    found = {name: kinetic_distribution(kinetic, temperature, freedom, seed) for name, (kinetic, freedom) in groups.items()}
    adjusted = holm({name: one.p for name, one in found.items()})
    return {name: Kinetic(**{**vars(one), "p_adjusted": adjusted[name]}) for name, one in found.items()}


@dataclass(frozen=True)
class Ensemble:
    """How far the ratio of two distributions is from Boltzmann's.

    Attributes:
        sigmas: distance of the slope of its logarithm from the expected one, in units of its error.
        p: two-sided, of so large a distance.
        effective: independent samples of the poorer run.
    """

    sigmas: float
    p: float
    effective: int


@dataclass(frozen=True)
class State:
    """A run at a state point.

    Attributes:
        temperature: K.
        energy: [samples] eV, potential.
        pressure: GPa; None in NVT. volume: [samples] Å³, in NPT.
    """

    temperature: float
    energy: Floats
    pressure: float | None = None
    volume: Floats | None = None


def ensemble_check(one: State, other: State, atoms: int, seed: int = SEED) -> Ensemble:
    """Compare two runs at two temperatures; in NPT at one pressure, by their enthalpies.

    Raises:
        ValueError: one temperature, other ensembles or pressures, too few independent samples, or distributions that do not overlap.
    """
    if one.temperature == other.temperature or one.pressure != other.pressure:
        raise ValueError("an ensemble check needs two temperatures at one pressure")
    with quiet(seed):
        package = physical_validation()
        prepared = [_state(package, state, atoms) for state in (one, other)]
        try:
            (sigmas,) = package.ensemble.check(*[data for data, _ in prepared], verbosity=0, data_is_uncorrelated=True, bootstrap_seed=seed)
        except package.util.error.InputError as error:
            raise ValueError(f"the two runs cannot be compared: {error}") from error
    if not math.isfinite(sigmas):
        raise ValueError("the two runs' energies do not overlap; take temperatures closer to each other")
    return Ensemble(float(sigmas), 2.0 * float(stats.norm.sf(sigmas)), min(count for _, count in prepared))


def _state(package: Any, state: State, atoms: int) -> tuple[Any, int]:
    """A run as physical_validation has it, independent samples only, and their number."""
    if state.pressure is None or state.volume is None:
        kept = {"potential_energy": _enough(state.energy)}
        ensemble = package.data.EnsembleData("NVT", natoms=atoms, volume=1.0, temperature=state.temperature)
    else:
        pressure = state.pressure * units.GPa
        enthalpy = state.energy + pressure * state.volume
        stride = max(1, len(enthalpy) // len(_enough(enthalpy)))
        kept = {"potential_energy": state.energy[::stride], "volume": state.volume[::stride]}
        ensemble = package.data.EnsembleData("NPT", natoms=atoms, pressure=pressure, temperature=state.temperature)
    system = package.data.SystemData(natoms=atoms, nconstraints=0, ndof_reduction_tra=0, ndof_reduction_rot=0)
    data = package.data.SimulationData(units=_units(), system=system, ensemble=ensemble, observables=package.data.ObservableData(**kept))
    return data, len(kept["potential_energy"])
