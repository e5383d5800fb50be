"""Atoms of a system, many times over."""

from __future__ import annotations

import math

import pytest
import torch

from mpcheck.checks.audit.reductions_data import Census, census, many_atoms
from mpcheck.sessions.run import Session
from tests.conftest import SYSTEM


def test_atoms_have_the_systems_elements_and_the_models_energies(session: Session) -> None:
    seen = census(session, SYSTEM)
    atoms = many_atoms(session, SYSTEM, seen, 3300)
    counts = torch.bincount(atoms.species, minlength=3)
    assert counts.tolist() == [2200, 0, 1100]  # water of 11 molecules, a hundred times; H, C, O
    for element in (0, 2):
        own = seen.interaction[seen.species == element]
        assert float(atoms.interaction[atoms.species == element].mean()) == pytest.approx(
            float(own.mean()), abs=4 * float(own.std()) / math.sqrt(1100)
        )
    assert torch.equal(many_atoms(session, SYSTEM, seen, 3300).interaction, atoms.interaction), "the seed does not decide"


def test_atoms_of_a_perfect_crystal_are_not_all_the_same_number(session: Session) -> None:
    """A million equal energies err alike, and no force field's do; how equal ones add up is another case."""
    seen = census(session, SYSTEM)
    alike = Census(torch.zeros(1, dtype=torch.long), seen.table, torch.tensor([-6.1], dtype=torch.float64))
    atoms = many_atoms(session, SYSTEM, alike, 500)
    assert len(atoms.interaction.unique()) == 500 and float(atoms.interaction.mean()) == pytest.approx(-6.1, abs=0.1)
