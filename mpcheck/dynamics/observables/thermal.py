"""Kinetic energy and temperature, of all atoms or of groups of them, by the degrees of freedom that they have."""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np
from ase import units
from ase.data import chemical_symbols

from mpcheck.dynamics.trajectory import Booleans, Floats, Integers, Trajectory


def degrees_of_freedom(atoms: int, momentum_at_rest: bool, rotation_at_rest: bool = False, linear: bool = False) -> int:
    """3N; 3N-3 where the centre of mass is kept at rest; 3N-6 for a molecule that does not rotate either, 3N-5 for a linear one.

    Raises:
        ValueError: none are left.
    """
    turning = 0 if not rotation_at_rest or atoms < 2 else 2 if linear or atoms == 2 else 3
    left = 3 * atoms - (3 if momentum_at_rest else 0) - turning
    if left <= 0:
        raise ValueError(f"{atoms} atoms have no degrees of freedom left")
    return left


def kinetic_energy(momenta: Floats, masses: Floats) -> Floats:
    """[frames] eV of momenta [frames, atoms, 3] in ASE's units."""
    return np.asarray(np.einsum("fac,fac,a->f", momenta, momenta, 0.5 / masses), dtype=np.float64)


def temperature(kinetic: Floats, freedom: float) -> Floats:
    """[frames] K of kinetic energies in eV: 2K / (freedom · k_B)."""
    return kinetic * (2.0 / (freedom * float(units.kB)))


def group_freedom(masses: Floats, members: Booleans, momentum_at_rest: bool) -> float:
    """Degrees of freedom of a group of atoms.

    With the total momentum held at zero, <p²/m> of an atom is 3 k_B T (1 - m/M) exactly, because momenta are then normal with that much less
    variance; so a group has 3 (N_g - M_g / M).
    """
    held = float(masses[members].sum() / masses.sum()) if momentum_at_rest else 0.0
    return 3.0 * (float(members.sum()) - held)


def by_species(trajectory: Trajectory) -> dict[str, Booleans]:
    """Which atoms are of each element: the groups that must share the kinetic energy equally."""
    return {chemical_symbols[number]: trajectory.numbers == number for number in np.unique(trajectory.numbers)}


def group_temperatures(trajectory: Trajectory, groups: Mapping[str, Booleans], momentum_at_rest: bool) -> dict[str, Floats]:
    """[frames] K of each group of atoms; equal on average in equilibrium."""
    masses = trajectory.masses
    return {
        name: temperature(kinetic_energy(trajectory.momenta[:, members], masses[members]), group_freedom(masses, members, momentum_at_rest))
        for name, members in groups.items()
    }


def whole_and_inner(trajectory: Trajectory, molecules: Integers) -> tuple[Floats, Floats]:
    """Kinetic energies [frames] eV of molecules' centres of mass, and within molecules: what a flying ice cube tells apart.

    Args:
        molecules: [atoms], the molecule of each, counted from 0.
    """
    count = int(molecules.max()) + 1
    members = (np.arange(count)[:, None] == molecules).astype(np.float64)
    outer = kinetic_energy(members @ trajectory.momenta, members @ trajectory.masses)
    return outer, kinetic_energy(trajectory.momenta, trajectory.masses) - outer


def potential_energy_per_atom(trajectory: Trajectory) -> Floats:
    """[frames] eV/atom."""
    return trajectory.energy / trajectory.atoms
