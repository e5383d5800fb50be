"""Density and pressure, by ASE's own."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
from ase import Atoms, units
from ase.calculators.singlepoint import SinglePointCalculator

from mpcheck.dynamics.observables.bulk import density, monitored, pressure, stress_gpa, volume
from tests.unit.dynamics.samples import gas


def test_pressure_is_that_of_ase_with_its_kinetic_part() -> None:
    rng = np.random.default_rng(3)
    one = replace(gas(frames=4), stress=rng.normal(0, 0.01, (4, 6)))
    for frame, found in enumerate(pressure(one)):
        atoms = Atoms(numbers=one.numbers, masses=one.masses, momenta=one.momenta[frame], cell=one.cell[frame], pbc=True)
        atoms.calc = SinglePointCalculator(atoms, stress=one.stress[frame])
        assert found * units.GPa == pytest.approx(-atoms.get_stress(include_ideal_gas=True)[:3].mean(), rel=1e-12)
    assert stress_gpa(one) == pytest.approx(one.stress * 160.21766, rel=1e-6)


def test_density_of_water() -> None:
    mass = np.tile([15.999, 1.008, 1.008], 64)
    assert density(np.array([12.42**3]), mass)[0] == pytest.approx(0.9993, abs=1e-3)


def test_without_a_cell_there_is_neither() -> None:
    one = gas()
    free = replace(one, pbc=np.zeros(3), cell=np.zeros((20, 3, 3)))
    assert np.isnan(volume(free)).all() and np.isnan(pressure(free)).all() and np.isfinite(volume(one)).all()


def test_deviations_from_a_target() -> None:
    found = monitored(np.array([1.0, 2.0, 3.0]), target=1.5)
    assert (found.mean, found.spread, found.deviation) == (2.0, 1.0, 0.5) and found.p95 == pytest.approx(1.4)
    assert np.isnan(monitored(np.array([1.0, 2.0])).p95)
    with pytest.raises(ValueError, match="two samples"):
        monitored(np.ones(1))
