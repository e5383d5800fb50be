"""Faults of exports by class: tensors of another type, heads, signs of pair forces, a head taken out of a model, and compilation."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch

from mpcheck.sessions.run import Session
from tests.faults.patches.planting import exchanged
from tests.unit.checks.uses.planted import Calculator, Planted, Results, command, compiling, mliap, results, selecting
from tests.unit.checks.uses.small_models import built, judged, red, session_of

BUFFERS = ["r_max", "model.r_max", "model.atomic_energies_fn.atomic_energies", "model.scale_shift.scale"]


def left_in(dtype: torch.dtype, name: str, only: torch.dtype) -> Planted:
    """One buffer of the module that is compiled is of another type; where the module is in ``only``."""

    def change(made: Callable[[], Any], module: torch.nn.Module) -> Any:
        if next(module.parameters()).dtype == only:
            owner, _, last = name.rpartition(".")
            place = module.get_submodule(owner) if owner else module
            setattr(place, last, getattr(place, last).to(dtype))
        return made()

    return compiling(change)


@pytest.mark.parametrize("name", BUFFERS)
def test_one_buffer_left_in_float64(run: Session, name: str) -> None:
    with left_in(torch.float64, name, torch.float32):
        found = red(judged(run, "doors", "lammps-export"))
    assert set(found) == {"float32"} and "float64" in found["float32"], found


@pytest.mark.parametrize("name", BUFFERS[::2])
def test_one_buffer_left_in_float32(run: Session, name: str) -> None:
    """Numbers that float32 holds: nothing else shows it."""
    with left_in(torch.float32, name, torch.float64):
        found = red(judged(run, "doors", "lammps-export"))
    assert set(found) == {"float64"} and "float32" in found["float64"], found


def test_heads_between(tmp_path: Path) -> None:
    names = ("first", "second", "third")
    numbers = {"atomic_energies": np.array([[-1.0, -2.0], [-3.0, -5.0], [-4.0, -7.0]]), "atomic_inter_scale": np.array([1.0, 1.3, 0.8])}
    run = session_of(built("ScaleShiftMACE", names, **numbers, atomic_inter_shift=np.array([0.1, -0.2, 0.3])), tmp_path)
    found = judged(run, "doors", "lammps-export")
    assert red(found) == {} and "head second, not compiled" in found

    def make(original: Callable[..., Any]) -> Callable[..., Any]:
        def init(self: Any, model: Any, **kwargs: Any) -> None:
            original(self, model, head={"second": "third"}.get(kwargs["head"], kwargs["head"]))

        return init

    with exchanged(command.LAMMPS_MACE, "__init__", make):
        assert set(red(judged(run, "doors", "lammps-export"))) == {"head second, not compiled"}


def pairs(change: Callable[[Any, Any, torch.Tensor, torch.Tensor], tuple[torch.Tensor, torch.Tensor]]) -> Planted:
    """Energies and pair forces on their way to LAMMPS."""

    def make(original: Callable[..., Any]) -> Callable[..., Any]:
        def call(self: Any, data: Any, energies: torch.Tensor, forces: torch.Tensor, atoms: int) -> None:
            original(self, data, *change(self, data, energies, forces), atoms)

        return call

    return exchanged(mliap.LAMMPS_MLIAP_MACE, "_update_lammps_data", make)


PAIRS = {
    "forces": lambda self, data, e, f: (e, -f),
    "node_energy": lambda self, data, e, f: (e[:1].expand_as(e), f),
    "energy": lambda self, data, e, f: (e + 1e-9, f),
    "virial": lambda self, data, e, f: (e, f + 1e-6 * data.rij.to(f) * (data.pair_i < len(e))[:, None]),
}


@pytest.mark.parametrize("what", PAIRS)
def test_pairs(run: Session, what: str) -> None:
    with pairs(PAIRS[what]):
        assert "float64" in red(judged(run, "doors", "lammps-mliap"))


def test_vectors_from_the_other_end(run: Session) -> None:
    """Forces and virial of the structure mirrored."""

    def make(original: Callable[..., Any]) -> Callable[..., Any]:
        def call(self: Any, *args: Any) -> Any:
            batch = original(self, *args)
            return {**batch, "vectors": -batch["vectors"]}

        return call

    with exchanged(mliap.LAMMPS_MLIAP_MACE, "_prepare_batch", make):
        assert "float64" in red(judged(run, "doors", "lammps-mliap"))


@pytest.mark.parametrize(("dtype", "variant"), [(torch.float32, "float64"), (torch.float64, "float32")])
def test_a_type_that_is_ignored(run: Session, dtype: torch.dtype, variant: str) -> None:
    def make(original: Callable[..., Any]) -> Callable[..., Any]:
        def call(self: Any, *args: Any) -> Any:
            batch = original(self, *args)
            self.model = self.model.to(dtype)
            return {k: v.to(dtype) if isinstance(v, torch.Tensor) and v.is_floating_point() else v for k, v in batch.items()}

        return call

    with exchanged(mliap.LAMMPS_MLIAP_MACE, "_prepare_batch", make):
        found = red(judged(run, "doors", "lammps-mliap"))
    assert variant in found


def test_the_last_head_for_all(heads: Session) -> None:
    def make(original: Callable[..., Any]) -> Callable[..., Any]:
        def init(self: Any, model: Any, **kwargs: Any) -> None:
            original(self, model, **{**kwargs, "head": model.heads[-1]})

        return init

    with exchanged(mliap.LAMMPS_MLIAP_MACE, "__init__", make):
        assert set(red(judged(heads, "doors", "lammps-mliap"))) == {"head first, float64"}


def of_another_head(name: str) -> Callable[[torch.nn.Module, torch.nn.Module, str], None]:
    """Numbers of the other head in one place."""

    def change(made: torch.nn.Module, model: torch.nn.Module, head: str) -> None:
        other = 1 - list(model.heads).index(head)  # type: ignore[arg-type]
        own, _, last = name.rpartition(".")
        source, target = getattr(model.get_submodule(own), last), getattr(made.get_submodule(own), last)
        kept = source[other] if source.dim() and len(source) == 2 else source.reshape(-1, 2)[:, other]
        target.data.copy_(kept.reshape(target.shape))

    return change


@pytest.mark.parametrize("name", ["atomic_energies_fn.atomic_energies", "scale_shift.scale", "scale_shift.shift", "readouts.0.linear.weight"])
def test_numbers_of_another_head(heads: Session, name: str) -> None:
    with selecting(of_another_head(name)):
        assert set(red(judged(heads, "doors", "select-head"))) == {"first", "second"}


def test_a_model_of_one_head_that_went_through_float32(heads: Session) -> None:
    with selecting(lambda made, model, head: made.float().double() and None):
        assert set(red(judged(heads, "doors", "select-head"))) == {"first", "second"}
    with selecting(lambda made, model, head: made.float() and None):
        assert set(red(judged(heads, "doors", "select-head"))) == {"first", "second"}
    with selecting(lambda made, model, head: setattr(made, "r_max", made.r_max.float())):
        assert "float32" in red(judged(heads, "doors", "select-head"))["first"]


def compiled(change: Callable[[Any, Results], Results]) -> Planted:
    return results(lambda self, r: change(self, r) if self.use_compile else {})


def test_compiled_results(run: Session) -> None:
    """Forces of zero; an energy that is off for odd counts of atoms, or for even ones."""
    found = judged(run, "doors", "calculator-compiled")
    assert found["under float64"].verdict == "pass" and found["under float32"].verdict == "known-fault"
    faults: list[tuple[Callable[[Any, Results], Results], str]] = [
        (lambda _, r: {"forces": r["forces"] * 0}, "forces"),
        (lambda _, r: {"energy": r["energy"] + 1e-3 * (len(r["forces"]) % 2)}, "of 5 atoms"),
        (lambda _, r: {"energy": r["energy"] + 1e-3 * (1 - len(r["forces"]) % 2)}, "of 4 atoms"),
    ]
    for change, what in faults:
        with compiled(change):
            found_red = red(judged(run, "doors", "calculator-compiled"))
        assert set(found_red) == {"under float64", "under float32"} and what in found_red["under float64"], found_red


def test_compilation_is_put_back(run: Session) -> None:
    before = torch.compile
    judged(run, "doors", "calculator-compiled")
    assert torch.compile is before and Calculator is not None
