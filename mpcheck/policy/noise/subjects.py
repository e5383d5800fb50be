"""The parts of a whole model that round by themselves, and what there is to round in each."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

import torch

from mpcheck.adapters.backends.casting import replaced, tensors_of
from mpcheck.adapters.blocks import describe
from mpcheck.adapters.steps import ENERGY_SUM, step_block, step_kind
from mpcheck.policy.evaluation import evaluate
from mpcheck.policy.noise.disturbance import Part, parts_of
from mpcheck.policy.noise.isolation import BETWEEN, Isolation, Treatment
from mpcheck.reference.noise import CensusMode, largest

ATOMIC_ENERGIES = "atomic energies"


@dataclass(frozen=True)
class Subject:
    """One part of a model that rounds by itself.

    Attributes:
        name: of a leaf's module, of a step, or :data:`mpcheck.policy.noise.isolation.BETWEEN`.
        role: in the field's words. kind: leaf, step or between.
        parts: that it has. peak: largest magnitude among its arguments, results and stored numbers. peak_apart: the same where energies of isolated
            atoms are left out.
    """

    name: str
    role: str
    kind: str
    parts: tuple[Part, ...]
    peak: float
    peak_apart: float

    @property
    def adds_energies(self) -> bool:
        """Whether it is the sum of the atoms' energies."""
        return self.kind == "step" and step_kind(self.name) == ENERGY_SUM


def holder(isolation: Isolation) -> str:
    """The leaf that holds energies of isolated atoms; "" where none does."""
    return next((n for n in isolation.leaves if role_of(isolation, n) == ATOMIC_ENERGIES), "")


def role_of(isolation: Isolation, leaf: str) -> str:
    """In the field's words, of the e3nn model's module: a backend's own classes have other names."""
    return describe(leaf, isolation.source.get_submodule(leaf), "leaf").role


def census(isolation: Isolation, graph: Mapping[str, torch.Tensor], device: torch.device | str) -> dict[str, Subject]:
    """Subjects of a model by name, found by evaluations of it with and without energies of isolated atoms."""
    with isolation.treated({}):
        evaluate(isolation.model, graph, device)  # names the steps
    modes = {name: CensusMode() for name in isolation.subjects}
    treated = {name: Treatment(mode=lambda mode=mode: mode) for name, mode in modes.items()}  # type: ignore[misc]  # a loop's variable, bound
    held = holder(isolation)
    with replaced(isolation.model.get_submodule(held) if held else None, torch.zeros_like), isolation.treated(treated):
        evaluate(isolation.model, graph, device)
    apart = {name: mode.peak for name, mode in modes.items()}
    with isolation.treated(treated):
        evaluate(isolation.model, graph, device)
    found = {}
    for name, mode in modes.items():
        kind = "leaf" if name in isolation.leaves else "between" if name == BETWEEN else "step"
        role = role_of(isolation, name) if kind == "leaf" else step_block(name).role if kind == "step" else name
        stored = max((largest(t) for t in (tensors_of(isolation.model.get_submodule(name)) if kind == "leaf" else [])), default=0.0)
        own = 0.0 if name == held else stored
        found[name] = Subject(name, role, kind, parts_of(mode.present, kind == "leaf"), max(mode.peak, stored), max(apart[name], own))
    return found
