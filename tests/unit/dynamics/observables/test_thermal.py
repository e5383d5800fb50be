"""Temperatures, by ASE's own and by what is known."""

from __future__ import annotations

import numpy as np
import pytest
from ase import Atoms, units

from mpcheck.dynamics.observables.thermal import (
    by_species,
    degrees_of_freedom,
    group_freedom,
    group_temperatures,
    kinetic_energy,
    potential_energy_per_atom,
    temperature,
    whole_and_inner,
)
from tests.unit.dynamics.samples import gas, trajectory


@pytest.mark.parametrize(
    ("arguments", "freedom"), [((3, False), 9), ((3, True), 6), ((3, True, True), 3), ((3, True, True, True), 4), ((2, True, True), 1)]
)
def test_degrees_of_freedom(arguments: tuple[int, bool], freedom: int) -> None:
    assert degrees_of_freedom(*arguments) == freedom


def test_none_left_is_refused() -> None:
    with pytest.raises(ValueError, match="1 atoms have no degrees of freedom"):
        degrees_of_freedom(1, True)


def test_energies_and_temperatures_are_ases() -> None:
    one = gas(frames=3)
    kinetic = kinetic_energy(one.momenta, one.masses)
    for frame in range(3):
        atoms = Atoms(numbers=one.numbers, masses=one.masses, momenta=one.momenta[frame])
        assert kinetic[frame] == pytest.approx(atoms.get_kinetic_energy(), rel=1e-12)
        assert temperature(kinetic, 3 * one.atoms)[frame] == pytest.approx(atoms.get_temperature(), rel=1e-12)
    assert potential_energy_per_atom(one) == pytest.approx(one.energy / 40)


def test_with_momentum_at_rest_groups_have_less_by_their_mass() -> None:
    rng = np.random.default_rng(0)
    masses = np.array([1.0, 1.0, 40.0])
    momenta = rng.standard_normal((40_000, 3, 3)) * np.sqrt(masses[:, None] * units.kB * 300)
    momenta -= momenta.sum(axis=1, keepdims=True) * (masses / masses.sum())[:, None]  # conditional on no momentum
    one = trajectory(np.zeros_like(momenta), momenta, masses, numbers=[1, 1, 18])
    groups = by_species(one)
    found = {name: kelvin.mean() for name, kelvin in group_temperatures(one, groups, momentum_at_rest=True).items()}
    assert found["H"] == pytest.approx(300, rel=0.02) and found["Ar"] == pytest.approx(300, rel=0.03)
    wrong = group_temperatures(one, groups, momentum_at_rest=False)["Ar"].mean()
    assert wrong < 30, "the heavy atom hardly moves, and the plain count calls it cold"
    assert sum(group_freedom(masses, members, True) for members in groups.values()) == pytest.approx(6)


def test_a_molecule_that_flies_has_its_energy_in_the_centre() -> None:
    momenta = np.ones((2, 4, 3)) * np.array([1.0, 3.0, -1.0, -3.0])[:, None]
    one = trajectory(np.zeros_like(momenta), momenta, np.array([1.0, 3.0, 1.0, 3.0]))
    outer, inner = whole_and_inner(one, np.array([0, 0, 1, 1]))
    assert inner == pytest.approx(0.0, abs=1e-12) and outer == pytest.approx(3 * 0.5 * 16 / 4 * 2)
