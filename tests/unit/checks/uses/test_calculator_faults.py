"""Faults of upstream's calculator by class: order, units, types, what is kept, what is lost, and its ways beyond ``calculate``."""

from __future__ import annotations

import copy
from collections.abc import Callable
from typing import Any

import numpy as np
import pytest
import torch
from ase import Atoms

from mpcheck.checks.physics.structure import Case, case_of
from mpcheck.checks.uses import calculator
from mpcheck.checks.uses.asking import structures
from mpcheck.judge.context import Key
from mpcheck.records.record import Record
from mpcheck.sessions.run import Session
from tests.faults.patches.planting import exchanged
from tests.unit.checks.uses.planted import Calculator, Planted, Results, handed, lost, results, taken
from tests.unit.checks.uses.small_models import judged, red


def asked(run: Session, variant: str) -> Record:
    """One finding of the calculator, before known faults are told apart."""
    return calculator.judge(case_of_doors(run, "calculator"), variant)


def case_of_doors(run: Session, subject: str) -> Case:
    case = case_of(run, Key("doors", subject, "e3nn", "float64"))
    assert isinstance(case, Case)
    return case


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


def without_pbc(_: Any, atoms: Atoms) -> Atoms:
    changed = atoms.copy()
    changed.pbc = False
    return changed


def partly_periodic_as_all(_: Any, atoms: Atoms) -> Atoms:
    changed = atoms.copy()
    changed.pbc = bool(atoms.pbc.any())
    return changed


def periodic_where_there_is_a_cell(_: Any, atoms: Atoms) -> Atoms:
    changed = atoms.copy()
    changed.pbc = bool(abs(np.linalg.det(np.array(atoms.cell))) > 0) if not atoms.pbc.any() else atoms.pbc
    return changed


def cell_read_row_by_row(_: Any, atoms: Atoms) -> Atoms:
    """A cell that lies by columns in memory, read as if it lay by rows."""
    changed = atoms.copy()
    array = atoms.cell.array
    changed.cell = np.frombuffer(array.tobytes(order="A"), dtype=float).reshape(3, 3)
    return changed


def right_handed(_: Any, atoms: Atoms) -> Atoms:
    changed = atoms.copy()
    if np.linalg.det(np.array(atoms.cell)) < 0:
        changed.cell = np.array(atoms.cell)[::-1]
    return changed


def brought_into_another_cell(_: Any, atoms: Atoms) -> Atoms:
    """Wrapped at a cell that is not the structure's."""
    changed = atoms.copy()
    side = np.diag(np.array(atoms.cell))
    if bool(atoms.pbc.all()) and (side > 0).all():
        changed.positions = changed.positions % side
    return changed


@pytest.mark.parametrize(
    ("change", "kind"),
    [(without_pbc, ""), (partly_periodic_as_all, "slab"), (periodic_where_there_is_a_cell, "molecule"), (cell_read_row_by_row, "columns"),
     (right_handed, "left-handed"), (brought_into_another_cell, "outside")],
)  # fmt: skip
def test_structures_of_every_kind(run: Session, change: Callable[[Any, Atoms], Atoms], kind: str) -> None:
    with taken(change):
        found = asked(run, "periodicity")
    assert found.verdict == "fail" and kind in found.reason, found


def left_in(dtype: torch.dtype, name: str) -> Planted:
    """After the cast, one buffer is of another type."""

    def make(original: Callable[..., Any]) -> Callable[..., Any]:
        def init(self: Any, *args: Any, **kwargs: Any) -> None:
            original(self, *args, **kwargs)
            for model in self.models:
                module, _, last = name.rpartition(".")
                owner = model.get_submodule(module) if module else model
                setattr(owner, last, getattr(owner, last).to(dtype))

        return init

    return exchanged(Calculator, "__init__", make)


BUFFERS = ["r_max", "atomic_energies_fn.atomic_energies", "scale_shift.scale", "radial_embedding.bessel_fn.bessel_weights"]


@pytest.mark.parametrize("name", BUFFERS[:-1])
@pytest.mark.parametrize(("left", "variant"), [(torch.float64, "float32"), (torch.float32, "float64")])
def test_one_buffer_of_another_type(run: Session, name: str, left: torch.dtype, variant: str) -> None:
    with left_in(left, name):
        found = red(judged(run, "doors", "calculator-types"))
    assert variant in found and name.rpartition(".")[2] in found[variant], found


@pytest.mark.parametrize("what", ["energy", "forces", "stress"])
def test_one_result_in_float64_where_float32_was_asked(run: Session, what: str) -> None:
    frame = structures(case_of_doors(run, "calculator-types"))[0]
    exact = Calculator(models=[copy.deepcopy(run.reference_backend.model)], default_dtype="float64")
    exact.calculate(frame.copy())
    kept = exact.results[what]
    with results(lambda self, r: {what: kept} if self.default_dtype == "float32" else {}):
        found = red(judged(run, "doors", "calculator-types"))
    assert set(found) == {"float32"} and what in found["float32"], found


@pytest.mark.parametrize(("instead", "model"), [("float32", "float64"), ("float64", "float32")])
def test_no_type_named_is_the_models(run: Session, instead: str, model: str) -> None:
    def make(original: Callable[..., Any]) -> Callable[..., Any]:
        def init(self: Any, *args: Any, default_dtype: str = "", **kwargs: Any) -> None:
            original(self, *args, default_dtype=default_dtype or instead, **kwargs)

        return init

    with exchanged(Calculator, "__init__", make):
        assert set(red(judged(run, "doors", "calculator-types"))) == {f"no type named, model in {model}"}


def hessians(change: Callable[[np.ndarray], np.ndarray]) -> Planted:
    return exchanged(Calculator, "get_hessian", lambda original: lambda self, atoms=None: change(original(self, atoms)))


@pytest.mark.parametrize(
    "change",
    [
        lambda h: h[..., ::-1], lambda h: -h, lambda h: h.astype(np.float32), lambda h: h * 0, lambda h: h.astype(np.float32).astype(np.float64),
        lambda h: h.reshape(h.shape[1], 3, -1, 3).transpose(1, 0, 2, 3).reshape(h.shape), lambda h: h[:-1],
    ],
)  # fmt: skip
def test_hessians(run: Session, change: Callable[[np.ndarray], np.ndarray]) -> None:
    with hessians(change):
        assert "hessian" in red(judged(run, "doors", "calculator-hessian"))


def test_hessian_of_another_head(heads: Session) -> None:
    with handed(lambda _, batch: batch.__setitem__("head", torch.zeros_like(batch["head"]))):
        found = red(judged(heads, "doors", "calculator-hessian"))
    assert "second" in found["hessian"]


def test_descriptors(run: Session) -> None:
    with exchanged(Calculator, "get_descriptors", lambda original: lambda self, *a, **k: original(self, *a, **k)[:, ::-1]):
        assert "descriptors" in red(judged(run, "doors", "calculator-hessian"))


def padded(change: Callable[[Any, Results], Results]) -> Planted:
    return results(lambda self, r: change(self, r) if self.pad_num_atoms or self.pad_num_edges else {})


@pytest.mark.parametrize("what", ["energy", "forces", "stress", "energies"])
def test_padding_that_leaks(run: Session, what: str) -> None:
    with padded(lambda _, r: {what: r[what] * (1 + 1e-9)}):
        found = asked(run, "padding")
    assert found.verdict == "fail" and what in found.reason, found
    with padded(lambda _, r: {what: r[what] * (1 + 1e-9)}):
        assert asked(run, "values").verdict == "pass"


def test_a_head_that_is_changed_later(heads: Session) -> None:
    """Upstream keeps what it calculated of the head before; told apart from a head that gives other numbers altogether."""
    assert "still that of the head before" in asked(heads, "head changed").reason
    with results(lambda _, r: {"energy": r["energy"] * 1.5}):
        found = asked(heads, "head changed")
    assert found.verdict == "fail" and "still that" not in found.reason
