"""Structures that policies are judged on."""

from __future__ import annotations

import numpy as np
from ase import Atoms
from ase.build import bulk

from mpcheck.policy.judging.copies import piece
from mpcheck.policy.judging.structures import ENOUGH, JUDGED, structure_sets
from mpcheck.systems.spacing import edges
from tests.unit.policy.judged_samples import drop, sets, small, water

R_MAX = 4.0


def test_there_are_enough_structures_for_energies_of_both_parities() -> None:
    """One user's structure becomes twenty and more; some have an odd number of atoms, some an even one."""
    made = sets()
    assert len(made.places(*JUDGED)) >= ENOUGH
    assert {len(made.frames[p]) % 2 for p in made.places(*JUDGED)} == {0, 1}
    assert len(made.labels) == len(made.frames) == len(set(made.labels))


def test_sets_are_the_same_each_time_and_other_ones_for_another_seed() -> None:
    """Equal content has an equal digest."""
    again, other = (structure_sets(water(), small().r_max, seed) for seed in (0, 1))
    assert again.digest == sets().digest != other.digest


def test_strain_turns_no_cell_and_moves_no_open_direction() -> None:
    """Vectors without periodicity stay as they are, molecules get none."""
    slab = bulk("HO", "cesiumchloride", a=2.4) * (2, 2, 2)
    slab.pbc = (True, True, False)
    copies = structure_sets([slab], R_MAX).get("rattled").frames
    assert all(np.array_equal(c.cell[2], slab.cell[2]) for c in copies)
    assert not all(np.array_equal(c.cell[0], slab.cell[0]) for c in copies)
    assert all(not c.cell.array.any() for c in structure_sets([drop()], R_MAX).get("rattled").frames)


def test_close_contacts_go_from_a_bond_to_half_of_it() -> None:
    """Only the pair that is meant comes nearer, at each of the distances that the label tells."""
    contacts = sets().get("contacts")
    for frame, label in zip(contacts.frames, contacts.labels, strict=True):
        moved = np.flatnonzero(np.abs(frame.positions - water()[0].positions).max(1) > 0)
        assert len(moved) <= 1
        told = float(label.split(" at ")[1].split()[0])
        distances = frame.get_all_distances(mic=True)
        assert np.isclose(distances, told, atol=0.006).any(), label
    assert len(contacts.frames) >= 4


def test_edges_are_bounded_and_what_is_left_out_is_said() -> None:
    """Few edges: one whole copy all the same, pieces besides, and words for the rest."""
    size = edges(water()[0], small().r_max)
    little = structure_sets(water() * 30, small().r_max, most_edges=3 * size)
    assert sum(len(f) == len(water()[0]) for f in little.get("rattled").frames) == 1
    assert len(little.places(*JUDGED)) >= ENOUGH and little.get("contacts").frames
    assert not little.get("supercell").frames and len(little.get("own").frames) < 30
    assert sum(edges(f, small().r_max) for f in little.frames) <= 5 * size
    said = " ".join(little.notes)
    assert "of 30 structures" in said and "supercell" in said and "pieces" in said


def test_pieces_are_what_lies_around_an_atom() -> None:
    """The nearest atoms and their distances are the structure's own, also across its boundary; charges go along."""
    large = water()[0] * (2, 2, 2)
    large.arrays["charges"] = np.arange(72.0)
    made = piece(large, 0, 20)
    assert not made.pbc.any()
    order = made.arrays["charges"].astype(int)
    assert order[0] == 0 and set(order) == set(np.argsort(large.get_distances(0, range(72), mic=True), kind="stable")[: len(made)])
    assert (made.numbers == large.numbers[order]).all()
    near = large.get_distances(0, order, mic=True)
    assert np.allclose(made.get_distances(0, range(len(made))), near, atol=1e-9)


def test_a_lone_atom_has_no_copies() -> None:
    """Nothing about it would differ; it is said."""
    made = structure_sets([Atoms("O")], R_MAX)
    assert len(made.frames) == 1 and "alone" in made.notes[0]


def test_a_crystal_of_one_atom_has_copies_of_eight_cells() -> None:
    """In its own cell nothing can move; as a supercell it is a test of energies and forces."""
    made = structure_sets([bulk("O", "fcc", a=3.4)], R_MAX)
    assert len(made.places(*JUDGED)) >= ENOUGH and not made.notes
    assert {len(f) for f in made.get("rattled").frames} == {8} and made.get("contacts").frames


def test_a_huge_structure_is_judged_on_a_piece() -> None:
    """Memory goes with its edges; what is judged is said, and how much."""
    huge = water()[0] * (6, 6, 6)
    made = structure_sets([huge], small().r_max, most_edges=20_000)
    assert max(len(f) for f in made.frames) < len(huge) / 3
    assert "of 1944 atoms" in made.notes[0] and len(made.places(*JUDGED)) >= ENOUGH
    assert sum(edges(f, small().r_max) for f in made.frames) < 25_000


def test_inputs_of_the_model_go_along() -> None:
    """Charges of the structure and of its atoms reach every copy, and an atom left out takes its own with it."""
    frame = drop()
    frame.info["total_charge"] = 2.0
    frame.arrays["charges"] = np.array([1.0, 2.0, 3.0])
    made = structure_sets([frame], R_MAX)
    assert all(f.info["total_charge"] == 2.0 for f in made.frames)
    assert {tuple(f.arrays["charges"]) for f in made.get("fewer").frames} == {(2.0, 3.0), (1.0, 3.0), (1.0, 2.0)}
