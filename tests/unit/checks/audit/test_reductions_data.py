"""Atoms of a system, many times over."""

from __future__ import annotations

import math

import pytest
import torch

from mpcheck.checks.audit.reductions_data import census, many_atoms
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
