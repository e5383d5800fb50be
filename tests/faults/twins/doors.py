"""Twins of faults of upstream's doors: the same places, where what was changed is put back."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from types import SimpleNamespace
from typing import Any

import torch

from mpcheck.sessions.run import Session
from tests.faults.patches.doors import upstream_module
from tests.faults.patches.planting import exchanged, patch
from tests.faults.patches.uses import calculator
from tests.faults.twins.acting import Acts


@patch
def buffer_copied_in_export(session: Session, acts: Acts, name: str) -> Iterator[None]:
    """A buffer of an export is a copy of its own."""
    command = upstream_module("mace.cli.create_lammps_model")
    compiled = command.jit.compile

    def compile_with(module: Any) -> Any:
        acts()
        owner, _, last = name.rpartition(".")
        place = module.get_submodule(owner)
        setattr(place, last, getattr(place, last).clone())
        return compiled(module)

    with exchanged(command, "jit", lambda _: SimpleNamespace(compile=compile_with)):
        yield


@patch
def pair_forces_turned_twice(session: Session, acts: Acts) -> Iterator[None]:
    """The sign of the pair forces is turned, and turned again."""

    def make(original: Callable[..., Any]) -> Callable[..., Any]:
        def call(self: Any, data: Any, energies: Any, forces: Any, atoms: Any) -> Any:
            acts()
            return original(self, data, energies, forces.detach().neg().neg(), atoms)

        return call

    with exchanged(upstream_module("mace.calculators.lammps_mliap_mace").LAMMPS_MLIAP_MACE, "_update_lammps_data", make):
        yield


def _selected(acts: Acts, change: Callable[[torch.nn.Module], torch.nn.Module]) -> Any:
    def make(original: Callable[..., Any]) -> Callable[..., Any]:
        def call(model: Any, head: Any = None) -> Any:
            acts()
            return change(original(model, head))

        return call

    return exchanged(upstream_module("mace.cli.select_head"), "remove_pt_head", make)


@patch
def selected_by_way_of_a_wider_type(session: Session, acts: Acts) -> Iterator[None]:
    """The model of one head goes through float64, which holds all that it has."""
    with _selected(acts, lambda made: made.to(torch.float64).to(next(made.parameters()).dtype)):
        yield


@patch
def selected_and_loaded_again(session: Session, acts: Acts) -> Iterator[None]:
    """The model of one head is given its own first readout once more."""

    def change(made: torch.nn.Module) -> torch.nn.Module:
        own = {name: tensor.clone() for name, tensor in made.readouts[0].state_dict().items()}  # type: ignore[index, union-attr]
        made.readouts[0].load_state_dict(own)  # type: ignore[index, union-attr]
        return made

    with _selected(acts, change):
        yield


@patch
def compiled_energy_doubled_and_halved(session: Session, acts: Acts) -> Iterator[None]:
    """The energy of a compiled calculator is doubled and halved again, where the number of atoms is odd."""

    def make(original: Callable[..., Any]) -> Callable[..., Any]:
        def calculate(self: Any, *args: Any, **kwargs: Any) -> None:
            original(self, *args, **kwargs)
            if self.use_compile and len(self.results["forces"]) % 2:
                acts()
                self.results["energy"] = 0.5 * (2.0 * self.results["energy"])

        return calculate

    with exchanged(calculator(), "calculate", make):
        yield
