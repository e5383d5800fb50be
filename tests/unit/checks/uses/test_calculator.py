"""Faults of the calculator's results by class: order, sign, units, what is lost, what is kept."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
import pytest

from mpcheck.sessions.run import Session
from tests.unit.checks.uses.asked import asked
from tests.unit.checks.uses.planted import Results, lost, results


def volume(self: Any) -> float:
    return float(abs(np.linalg.det(np.array(self.atoms.cell))))


RESULTS: dict[str, tuple[Callable[[Any, Results], Results], str, str]] = {
    "virial instead of stress": (lambda self, r: {"stress": -r["stress"] * volume(self)}, "values", "stress"),
    "stress over the volume twice": (lambda self, r: {"stress": r["stress"] / volume(self)}, "values", "stress"),
    "engineering shear": (lambda _, r: {"stress": r["stress"] * np.array([1, 1, 1, 2, 2, 2])}, "values", "stress"),
    "the mean pressure": (lambda _, r: {"stress": np.full(6, r["stress"][:3].mean())}, "values", "stress"),
    "energy in float32": (lambda _, r: {"energy": float(np.float32(r["energy"]))}, "values", "energy"),
    "node energies in float32": (lambda _, r: {"energies": r["energies"].astype(np.float32)}, "values", "energies"),
    "E0 subtracted twice": (lambda _, r: {"node_energy": 2 * r["node_energy"] - r["energies"]}, "values", "node_energy"),
    "offset for odd counts of atoms": (lambda _, r: {"energy": r["energy"] + 1e-6 * (len(r["forces"]) % 2)}, "values", "energy"),
    "offset for even counts of atoms": (lambda _, r: {"energy": r["energy"] + 1e-6 * (1 - len(r["forces"]) % 2)}, "values", "energy"),
    "energy in the model's unit": (lambda self, r: {"energy": r["energy"] / self.energy_units_to_eV}, "units", "energy"),
    "free energy in the model's unit": (lambda self, r: {"free_energy": r["free_energy"] / self.energy_units_to_eV}, "units", "free_energy"),
    "forces in the model's unit of energy": (lambda self, r: {"forces": r["forces"] / self.energy_units_to_eV}, "units", "forces"),
    "stress in the model's unit of energy": (lambda self, r: {"stress": r["stress"] / self.energy_units_to_eV}, "units", "stress"),
    "unit of energy twice": (lambda self, r: {"forces": r["forces"] * self.energy_units_to_eV}, "units", "forces"),
    "forces times the unit of length": (lambda self, r: {"forces": r["forces"] * self.length_units_to_A**2}, "units of length", "forces"),
    "forces without the unit of length": (lambda self, r: {"forces": r["forces"] * self.length_units_to_A}, "units of length", "forces"),
    "stress by the area": (lambda self, r: {"stress": r["stress"] * self.length_units_to_A}, "units of length", "stress"),
    "node energies by the unit twice": (
        lambda self, r: {"node_energy": r["node_energy"] * self.energy_units_to_eV}, "units of node_energy", "node_energy",
    ),
    "virials by atom by the area": (
        lambda self, r: {"virials": r["virials"] * self.length_units_to_A} if "virials" in r else {}, "units of virials", "virials",
    ),
    "virials by atom, half as much again": (lambda _, r: {"virials": r["virials"] * 1.5} if "virials" in r else {}, "atomic stresses", "virials"),
    "signs of stresses by atom": (lambda _, r: {"stresses": -r["stresses"]} if "stresses" in r else {}, "atomic stresses", "stresses"),
}  # fmt: skip


@pytest.mark.parametrize("name", RESULTS)
def test_results(run: Session, name: str) -> None:
    change, variant, what = RESULTS[name]
    with results(change):
        found = asked(run, variant)
    assert found.verdict == "fail" and what in found.reason + found.worst, found


@pytest.mark.parametrize("name", ["energy", "free_energy", "energies", "node_energy", "forces", "stress"])
def test_a_result_that_is_lost(run: Session, name: str) -> None:
    with lost(name):
        found = asked(run, "values")
    assert found.verdict == "fail" and name in found.worst, found


@pytest.mark.parametrize("name", ["stresses", "virials"])
def test_a_result_by_atom_that_is_lost(run: Session, name: str) -> None:
    with lost(name):
        found = asked(run, "atomic stresses")
    assert found.verdict == "fail" and name in found.worst


def test_a_head_that_is_changed_later(heads: Session) -> None:
    """Upstream keeps what it calculated of the head before; told apart from a head that gives other numbers altogether."""
    assert "still that of the head before" in asked(heads, "head changed").reason
    with results(lambda _, r: {"energy": r["energy"] * 1.5}):
        found = asked(heads, "head changed")
    assert found.verdict == "fail" and "still that" not in found.reason
