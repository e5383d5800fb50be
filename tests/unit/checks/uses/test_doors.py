"""Faults of upstream's calculator and of its export, which no comparison of blocks can show."""

from __future__ import annotations

import importlib
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch

from mpcheck.adapters import export as door
from mpcheck.sessions.run import Session
from tests.faults.patches.planting import exchanged
from tests.faults.planted import replaced_attribute
from tests.unit.checks.uses.planted import Calculator, Results, command, compiling, handed, results
from tests.unit.checks.uses.small_models import built, judged, red, session_of


def permuted(*order: int) -> Callable[[Any, Results], Results]:
    return lambda _, r: {"stress": r["stress"][list(order)]} if "stress" in r else {}


def to_first_head(_: Any, batch: Any) -> None:
    batch["head"] = torch.zeros_like(batch["head"])


def neutral(_: Any, batch: Any) -> None:
    batch["total_charge"] = torch.zeros_like(batch["total_charge"])


def singlet(_: Any, batch: Any) -> None:
    batch["total_spin"] = torch.ones_like(batch["total_spin"])


def one_edge_less(_: Any, batch: Any) -> None:
    for name in ("shifts", "unit_shifts"):
        batch[name] = batch[name][:-1]
    batch["edge_index"] = batch["edge_index"][:, :-1]


RESULTS = {
    "yz and xz exchanged": (permuted(0, 1, 2, 4, 3, 5), "stress"),
    "yy and xx exchanged": (permuted(1, 0, 2, 3, 4, 5), "stress"),
    "Voigt order of LAMMPS": (permuted(0, 1, 2, 5, 4, 3), "stress"),
    "sign of the stress": (lambda _, r: {"stress": -r["stress"]}, "stress"),
    "kB instead of eV/A^3": (lambda _, r: {"stress": r["stress"] * 1602.1766208}, "stress"),
    "free energy without E0": (lambda _, r: {"free_energy": r["free_energy"] - (r["energies"] - r["node_energy"]).sum()}, "free_energy"),
    "energy by atom": (lambda _, r: {"energy": r["energy"] / len(r["forces"])}, "energy"),
    "sign of forces": (lambda _, r: {"forces": -r["forces"]}, "forces"),
    "forces in float32": (lambda _, r: {"forces": r["forces"].astype(np.float32)}, "forces"),
    "E0 left in node energies": (lambda _, r: {"node_energy": r["energies"]}, "node_energy"),
    "energies without E0": (lambda _, r: {"energies": r["node_energy"]}, "energies"),
    "rows of forces rolled": (lambda _, r: {"forces": np.roll(r["forces"], 1, 0)}, "forces"),
}


@pytest.mark.parametrize("name", RESULTS)
def test_results_that_are_not_the_models(run: Session, name: str) -> None:
    change, what = RESULTS[name]
    with results(change):
        found = red(judged(run, "doors", "calculator"))
    assert "values" in found and what in found["values"].replace("full stress", "stress"), found


def test_a_head_that_is_ignored(heads: Session) -> None:
    with handed(to_first_head):
        found = red(judged(heads, "doors", "calculator"))
    assert set(found) == {"heads"} and "of head second" in found["heads"]


@pytest.mark.parametrize(("change", "tensor"), [(neutral, "total_charge"), (singlet, "total_spin"), (one_edge_less, "edge_index")])
def test_tensors_that_are_not_the_structures(run: Session, change: Callable[[Any, Any], None], tensor: str) -> None:
    with handed(change):
        assert tensor in red(judged(run, "doors", "calculator"))["handed over"] + str(judged(run, "doors", "calculator")["handed over"].worst)


def test_a_calculator_that_forgets_to_calculate(run: Session) -> None:
    with exchanged(Calculator, "check_state", lambda original: lambda self, atoms, tol=1e-15: []):
        assert set(red(judged(run, "doors", "calculator"))) == {"changes", "charge and spin"}


def test_a_calculator_that_looks_at_atoms_alone(run: Session) -> None:
    """What was calculated is kept where only charge or spin has changed."""
    plain = Calculator.__mro__[1].check_state
    with exchanged(Calculator, "check_state", lambda original: lambda self, atoms, tol=1e-15: plain(self, atoms, tol=tol)):
        assert set(red(judged(run, "doors", "calculator"))) == {"charge and spin"}


def test_the_same_results_for_all_of_a_size(run: Session) -> None:
    """A calculator that keeps its edges from call to call."""
    held: dict[int, Any] = {}

    def make(original: Callable[..., Any]) -> Callable[..., Any]:
        def call(self: Any, atoms: Any) -> Any:
            return held.setdefault(id(self) * 1000 + len(atoms), original(self, atoms)).clone()

        return call

    with exchanged(Calculator, "_atoms_to_batch", make):
        assert "changes" in red(judged(run, "doors", "calculator"))


def test_units_and_committees(run: Session) -> None:
    with results(lambda self, r: {"stress": r["stress"] * self.length_units_to_A**2}):
        assert set(red(judged(run, "doors", "calculator"))) == {"units of length"}
    with results(lambda self, r: {"forces": r["forces_comm"][0]} if "forces_comm" in r else {}):
        assert set(red(judged(run, "doors", "calculator"))) == {"committee"}
    with results(lambda self, r: {"energy_var": r["energy_var"] * 2} if "energy_var" in r else {}):
        assert "spread" in red(judged(run, "doors", "calculator"))["committee"]


def test_atomic_stresses_in_another_order(run: Session) -> None:
    with results(lambda _, r: {"stresses": r["stresses"][:, [0, 1, 2, 4, 3, 5]]} if "stresses" in r else {}):
        assert set(red(judged(run, "doors", "calculator"))) == {"atomic stresses", "units", "units of length"}


@pytest.mark.parametrize(("wanted", "instead"), [("float32", "float64"), ("float64", "float32")])
def test_a_type_that_is_ignored(run: Session, wanted: str, instead: str) -> None:
    def make(original: Callable[..., Any]) -> Callable[..., Any]:
        def init(self: Any, *args: Any, default_dtype: str = "", **kwargs: Any) -> None:
            original(self, *args, default_dtype=instead, **kwargs)

        return init

    with exchanged(Calculator, "__init__", make):
        found = red(judged(run, "doors", "calculator-types"))
    assert wanted in found and f"default_dtype={wanted}" in found[wanted]


class Dropping(torch.nn.Module):
    """An export that says something else of what it was made of."""

    def __init__(self, inner: torch.nn.Module, energy: float, forces: float, virials: float, nodes: float) -> None:
        super().__init__()
        self.inner = inner
        self.energy, self.forces, self.virials, self.nodes = energy, forces, virials, nodes

    def forward(self, data: dict[str, torch.Tensor], local_or_ghost: torch.Tensor, compute_virials: bool = False) -> dict[str, torch.Tensor | None]:
        out: dict[str, torch.Tensor | None] = self.inner(data, local_or_ghost, compute_virials)
        energy, forces, virials, nodes = out["total_energy_local"], out["forces"], out["virials"], out["node_energy"]
        if energy is not None:
            out["total_energy_local"] = energy * self.energy
        if forces is not None:
            out["forces"] = forces * self.forces
        if virials is not None:
            out["virials"] = virials * self.virials
        if nodes is not None:
            out["node_energy"] = nodes * self.nodes
        return out


EXPORT = {
    "total_energy_local": (2.0, 1.0, 1.0, 1.0),
    "forces": (1.0, -1.0, 1.0, 1.0),
    "virials": (1.0, 1.0, 1 + 1e-9, 1.0),
    "node_energy": (1.0, 1.0, 1.0, 0.5),
}


@pytest.mark.parametrize("what", EXPORT)
def test_an_export_that_is_not_the_model(run: Session, what: str) -> None:
    with compiling(lambda made, _: torch.jit.script(Dropping(made(), *EXPORT[what]))):
        found = red(judged(run, "doors", "lammps-export"))
    assert what in found["float64"], found


def _without_mask(original: Callable[..., Any]) -> Callable[..., Any]:
    return lambda export, graph, local, virials: original(export, graph, torch.ones_like(local), virials)


def test_an_export_that_takes_ghosts_for_its_own(run: Session) -> None:
    lammps = importlib.import_module("mpcheck.checks.uses.lammps")
    with replaced_attribute(lammps, "as_lammps", _without_mask(door.as_lammps)):
        assert "of every second atom" in red(judged(run, "doors", "lammps-export"))["float64"]


def test_an_export_of_another_head(heads: Session) -> None:
    def make(original: Callable[..., Any]) -> Callable[..., Any]:
        def init(self: Any, model: Any, **kwargs: Any) -> None:
            original(self, model, head=model.heads[-1])

        return init

    with exchanged(command.LAMMPS_MACE, "__init__", make):
        found = red(judged(heads, "doors", "lammps-export"))
    assert "head first, float64" in found and "head second, float64" not in found


def test_an_export_of_another_type(run: Session) -> None:
    """Asked for float64, made in float32."""

    def through_float32(made: Callable[[], Any], module: torch.nn.Module) -> Any:
        if next(module.parameters()).dtype == torch.float64:
            module.float().double()
        return made()

    with compiling(through_float32):
        assert set(red(judged(run, "doors", "lammps-export"))) == {"float64"}


def test_a_calculator_that_raises_is_red(run: Session) -> None:
    def refusing(_: Any, __: Results) -> Results:
        raise KeyError("stress")

    with results(refusing):
        assert all("raised KeyError" in reason for reason in red(judged(run, "doors", "calculator")).values())


def test_charge_and_spin_reach_a_model_that_reads_them(tmp_path: Path) -> None:
    specs = {n: {"type": "continuous", "in_dim": 1, "emb_dim": 4, "per": "graph", "num_classes": 1} for n in ("total_charge", "total_spin")}
    try:
        model = built("ScaleShiftMACE", embedding_specs=specs)
    except Exception as error:  # upstream's form of specifications changes
        pytest.skip(f"upstream builds no such model: {error}")
    run = session_of(model, tmp_path)
    found = judged(run, "doors", "calculator")
    assert red(found) == {}
    with handed(neutral):
        assert "handed over" in red(judged(run, "doors", "calculator"))
