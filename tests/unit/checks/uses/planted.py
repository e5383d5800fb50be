"""Faults behind upstream's doors, planted in upstream's classes as small changes of their results or of what they hand over."""

from __future__ import annotations

import contextlib
import importlib
from collections.abc import Callable
from types import SimpleNamespace
from typing import Any

import torch

from mpcheck.adapters.upstream import environment_restored
from tests.faults.patches.planting import exchanged
from tests.faults.planted import replaced_attribute

with environment_restored("TORCH_FORCE_NO_WEIGHTS_ONLY_LOAD"):
    calculators = importlib.import_module("mace.calculators.mace")
    command = importlib.import_module("mace.cli.create_lammps_model")
    mliap = importlib.import_module("mace.calculators.lammps_mliap_mace")
    selection = importlib.import_module("mace.cli.select_head")
Calculator = calculators.MACECalculator
Planted = contextlib.AbstractContextManager[None]
Results = dict[str, Any]


def results(change: Callable[[Any, Results], Results]) -> Planted:
    """Results of a calculation, changed where they are there."""

    def make(original: Callable[..., Any]) -> Callable[..., Any]:
        def calculate(self: Any, *args: Any, **kwargs: Any) -> None:
            original(self, *args, **kwargs)
            self.results |= change(self, self.results)

        return calculate

    return exchanged(Calculator, "calculate", make)


def lost(name: str) -> Planted:
    """A result that is not told."""

    def make(original: Callable[..., Any]) -> Callable[..., Any]:
        def calculate(self: Any, *args: Any, **kwargs: Any) -> None:
            original(self, *args, **kwargs)
            self.results.pop(name, None)

        return calculate

    return exchanged(Calculator, "calculate", make)


def handed(change: Callable[[Any, Any], None]) -> Planted:
    """Tensors that the calculator makes of a structure, changed."""

    def make(original: Callable[..., Any]) -> Callable[..., Any]:
        def call(self: Any, atoms: Any) -> Any:
            batch = original(self, atoms)
            change(self, batch)
            return batch

        return call

    return exchanged(Calculator, "_atoms_to_batch", make)


def taken(change: Callable[[Any, Any], Any]) -> Planted:
    """The structure that the calculator makes tensors of, changed."""

    def make(original: Callable[..., Any]) -> Callable[..., Any]:
        return lambda self, atoms: original(self, change(self, atoms))

    return exchanged(Calculator, "_atoms_to_batch", make)


def compiling(change: Callable[[Callable[[], Any], torch.nn.Module], Any]) -> Planted:
    """What the command line compiles, given how it would and the module; e3nn's own compilation calls itself by its name."""
    compiled = command.jit.compile
    return replaced_attribute(command, "jit", SimpleNamespace(compile=lambda module: change(lambda: compiled(module), module)))


def selecting(change: Callable[[torch.nn.Module, torch.nn.Module, str], None]) -> Planted:
    """The model of one head that the command line writes, changed: given it, the model of all heads, and the head that was asked for."""

    def make(original: Callable[..., Any]) -> Callable[..., Any]:
        def call(model: torch.nn.Module, head: str | None = None) -> torch.nn.Module:
            made: torch.nn.Module = original(model, head)
            change(made, model, head or "")
            return made

        return call

    return exchanged(selection, "remove_pt_head", make)
