"""Positions follow momenta by the masses of the elements, in float64; and what breaks it."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest

from mpcheck.dynamics.laws import motion
from mpcheck.dynamics.protocols.integrators import Integrator
from mpcheck.dynamics.protocols.outcome import masses_of, triples_of
from mpcheck.dynamics.protocols.protocol import Protocol
from mpcheck.dynamics.protocols.running import Run, Runner
from tests.unit.dynamics.toy import liquid, protocol


def made(folder: Path, own: Protocol, steps: int, atoms: Any = None) -> Run:
    return Runner(liquid() if atoms is None else atoms, own, 5, folder, {}).run(steps)


def test_positions_follow_momenta(tmp_path: Path) -> None:
    own = protocol("nve")
    atoms = liquid()
    triples = triples_of(made(tmp_path, own, 100, atoms), atoms, own)
    assert triples is not None
    assert [law.state for law in motion.increments(triples)] == ["holds", "holds"]


def test_a_wrong_unit_of_mass_is_seen(tmp_path: Path) -> None:
    own = protocol("nve")
    atoms = liquid()
    atoms.set_masses(atoms.get_masses() * 1.1)
    run = made(tmp_path, own, 100, atoms)
    plain = liquid()
    np.testing.assert_array_equal(masses_of(plain), plain.get_masses())
    triples = triples_of(run, plain, own)
    assert triples is not None
    assert motion.increments(triples)[0].state == "broken"


@pytest.mark.parametrize("far", [0.0, 1e4])
def test_positions_in_float32_are_seen(far: float, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    own = protocol("nve")
    atoms = liquid()
    atoms.positions += far
    plain = Integrator.step

    def step(self: Integrator, count: int) -> None:
        for _ in range(count):
            plain(self, 1)
            self.atoms.positions = self.atoms.positions.astype(np.float32)

    monkeypatch.setattr(Integrator, "step", step)
    triples = triples_of(made(tmp_path, own, 100, atoms), atoms, own)
    assert triples is not None
    found = {law.name: law for law in motion.increments(triples)}
    assert found["positions in float64"].state == "broken"
    assert found["increments"].state == ("broken" if far else "holds")
