"""Starts: relaxed, equilibrated, made once, the same for who asks again."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from mpcheck.dynamics.protocols import running
from mpcheck.dynamics.protocols.start import RELAXED, Start, StartError, equilibrated, kept, relaxed
from tests.unit.dynamics.toy import liquid, protocol


def test_a_structure_is_relaxed_and_left_as_it_was() -> None:
    atoms = liquid()
    atoms.positions += 0.3 * np.random.default_rng(1).standard_normal(atoms.positions.shape)
    before = atoms.positions.copy()
    found = relaxed(atoms, lambda _: None)
    np.testing.assert_array_equal(atoms.positions, before)
    assert np.abs(found.get_forces()).max() <= RELAXED and found.get_potential_energy() < atoms.get_potential_energy()


def test_what_is_equilibrated_moves_as_its_seed_says_with_the_centre_at_rest() -> None:
    atoms, said = liquid(), list[str]()
    one, again, other = (equilibrated(atoms, protocol("nve"), seed, said.append) for seed in (1, 1, 2))
    np.testing.assert_array_equal(one.atoms.positions, again.atoms.positions)
    assert np.abs(one.atoms.positions - other.atoms.positions).max() > 0.01
    assert np.abs(one.atoms.get_momenta().sum(axis=0)).max() < 1e-9
    assert 40 < one.atoms.get_temperature() < 200
    assert "equilibrating in float64, seed 1: 100 of 100 steps" in said and "0.4 ps of Langevin dynamics" in one.note


def test_molecules_do_not_turn() -> None:
    atoms = liquid()
    atoms.pbc = False
    found = equilibrated(atoms, protocol("nve", equilibration_ps=0.02), 1, lambda _: None).atoms
    centred = found.positions - found.get_center_of_mass()
    assert np.abs(np.cross(centred, found.get_momenta()).sum(axis=0)).max() < 1e-6


def test_what_explodes_is_told_with_what_to_do(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(running, "HOTTEST", 1e-3)
    with pytest.raises(StartError, match=r"explodes after .* K, where the protocol has 100.* a shorter time step or a lower temperature"):
        equilibrated(liquid(), protocol("nve"), 1, lambda _: None)


def test_a_start_is_made_once_and_anew_for_another_model(tmp_path: Path) -> None:
    made = list[int]()

    def make() -> Start:
        made.append(1)
        return Start(liquid(seed=len(made)), "a note")

    first = kept(tmp_path, "start", liquid(), {"model": "a"}, make)
    again = kept(tmp_path, "start", liquid(), {"model": "a"}, make)
    assert len(made) == 1 and again.note == "a note"
    np.testing.assert_array_equal(first.atoms.positions, again.atoms.positions)
    np.testing.assert_array_equal(first.atoms.get_momenta(), again.atoms.get_momenta())
    kept(tmp_path, "start", liquid(), {"model": "b"}, make)
    assert len(made) == 2
