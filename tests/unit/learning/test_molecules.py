"""Forces between and within molecules: of what is known by hand, and what must add up."""

from __future__ import annotations

import numpy as np
import pytest
from ase import Atoms
from ase.build import bulk, molecule

from mpcheck.learning.molecules import between, molecules, rigid
from mpcheck.learning.solvents import solvents


def pair() -> Atoms:
    first, second = molecule("H2O"), molecule("CH3OH")
    second.positions += [3.0, 0.4, -0.2]
    return first + second


def test_molecules_are_what_is_bonded() -> None:
    assert [sorted(members.tolist()) for members, _ in molecules(pair())] == [[0, 1, 2], [3, 4, 5, 6, 7, 8]]


def test_a_molecule_across_a_face_is_whole() -> None:
    atoms = pair()
    atoms.set_cell([8.0, 8.0, 8.0])
    atoms.pbc = True
    before = between(atoms, np.arange(27.0).reshape(9, 3))
    atoms.positions -= atoms.positions[0] + 0.1
    atoms.wrap()
    assert before is not None
    assert np.allclose(before, between(atoms, np.arange(27.0).reshape(9, 3)))


def test_a_crystal_is_no_molecules_and_one_molecule_has_nothing_between() -> None:
    assert molecules(bulk("C", cubic=True)) == []
    assert between(molecule("H2O"), np.ones((3, 3))) is None


def test_a_push_and_a_turn_are_wholly_rigid_and_a_stretch_is_not() -> None:
    water = molecule("H2O")
    masses, places = water.get_masses(), water.positions
    r = places - np.average(places, axis=0, weights=masses)
    moves = masses[:, None] * np.array([1.0, 2.0, -1.0]) + masses[:, None] * np.cross([0.3, -0.1, 0.5], r)
    assert np.allclose(rigid(moves, places, masses), moves)
    stretch = np.zeros((3, 3))
    stretch[1], stretch[2] = places[1] - places[2], places[2] - places[1]
    assert np.allclose(rigid(stretch, places, masses), 0, atol=1e-12)


@pytest.mark.parametrize("name", ["CO2", "H"])
def test_lines_and_points_have_no_turn_about_themselves(name: str) -> None:
    atoms = molecule(name)
    forces = np.random.default_rng(0).normal(size=(len(atoms), 3))
    part = rigid(forces, atoms.positions, atoms.get_masses())
    assert np.allclose(part.sum(axis=0), forces.sum(axis=0))
    assert np.allclose(np.cross(atoms.positions, part).sum(axis=0), np.cross(atoms.positions, forces).sum(axis=0))


def test_what_is_left_has_no_net_force_and_no_torque() -> None:
    frame = next(one for one in solvents().test if len(molecules(one.atoms)) == 3)
    part = between(frame.atoms, frame.forces)
    assert part is not None
    for members, places in molecules(frame.atoms):
        left = (frame.forces - part)[members]
        assert np.allclose(left.sum(axis=0), 0, atol=1e-6)
        assert np.allclose(np.cross(places, left).sum(axis=0), 0, atol=1e-6)
    assert np.sqrt((part**2).mean()) < np.sqrt((frame.forces**2).mean()), "between molecules forces are weaker"
