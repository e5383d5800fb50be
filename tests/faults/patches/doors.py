"""Faults of upstream's doors beyond the calculator's results: heads, exports, compilation, and a head that is taken out of a model."""

from __future__ import annotations

import importlib
from collections.abc import Callable, Iterator
from types import SimpleNamespace
from typing import Any

import torch

from mpcheck.adapters.upstream import environment_restored
from mpcheck.sessions.run import Session
from tests.faults.patches.planting import dtype_named, exchanged, patch
from tests.faults.patches.uses import calculator


def upstream_module(name: str) -> Any:
    """A module of upstream's, some of which set an environment variable."""
    with environment_restored("TORCH_FORCE_NO_WEIGHTS_ONLY_LOAD"):
        return importlib.import_module(name)


@patch
def head_left_behind(session: Session) -> Iterator[None]:
    """The head that the calculator was told stays behind: every structure goes to the first."""

    def make(original: Callable[..., Any]) -> Callable[..., Any]:
        def call(self: Any, atoms: Any) -> Any:
            batch = original(self, atoms)
            batch["head"] = torch.zeros_like(batch["head"])
            return batch

        return call

    with exchanged(calculator(), "_atoms_to_batch", make):
        yield


@patch
def buffer_left_in_export(session: Session, name: str, of: str, left: str) -> Iterator[None]:
    """An export in one type that keeps one buffer in another."""
    command = upstream_module("mace.cli.create_lammps_model")
    compiled = command.jit.compile

    def compile_with(module: Any) -> Any:
        if next(module.parameters()).dtype == dtype_named(of):
            owner, _, last = name.rpartition(".")
            place = module.get_submodule(owner)
            setattr(place, last, getattr(place, last).to(dtype_named(left)))
        return compiled(module)

    with exchanged(command, "jit", lambda _: SimpleNamespace(compile=compile_with)):
        yield


@patch
def pair_forces_turned(session: Session) -> Iterator[None]:
    """The sign of the pair forces that LAMMPS gets."""

    def make(original: Callable[..., Any]) -> Callable[..., Any]:
        return lambda self, data, energies, forces, atoms: original(self, data, energies, -forces, atoms)

    with exchanged(upstream_module("mace.calculators.lammps_mliap_mace").LAMMPS_MLIAP_MACE, "_update_lammps_data", make):
        yield


@patch
def selected_once_in(session: Session, dtype: str) -> Iterator[None]:
    """The model of one head goes through another type on its way."""

    def make(original: Callable[..., Any]) -> Callable[..., Any]:
        def call(model: Any, head: Any = None) -> Any:
            made = original(model, head)
            kind = next(made.parameters()).dtype
            return made.to(dtype_named(dtype)).to(kind)

        return call

    with exchanged(upstream_module("mace.cli.select_head"), "remove_pt_head", make):
        yield


@patch
def selected_with_numbers_of_the_other(session: Session) -> Iterator[None]:
    """The model of one head has the first readout of another."""

    def make(original: Callable[..., Any]) -> Callable[..., Any]:
        def call(model: Any, head: Any = None) -> Any:
            made = original(model, head)
            other = next(h for h in model.heads if h != head)
            made.readouts[0].load_state_dict(original(model, other).readouts[0].state_dict())
            return made

        return call

    with exchanged(upstream_module("mace.cli.select_head"), "remove_pt_head", make):
        yield


@patch
def compiled_energy_off(session: Session, offset: float) -> Iterator[None]:
    """A compiled calculator whose energy is off where the number of atoms is odd."""

    def make(original: Callable[..., Any]) -> Callable[..., Any]:
        def calculate(self: Any, *args: Any, **kwargs: Any) -> None:
            original(self, *args, **kwargs)
            if self.use_compile:
                self.results["energy"] += offset * (len(self.results["forces"]) % 2)

        return calculate

    with exchanged(calculator(), "calculate", make):
        yield
