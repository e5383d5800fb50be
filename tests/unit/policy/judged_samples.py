"""A small model, small structures, and their reference: what tests of a policy's errors share."""

from __future__ import annotations

import copy
from functools import cache
from typing import Any

import torch
from ase import Atoms
from ase.build import bulk, molecule

from mpcheck.adapters.load import LoadedModel
from mpcheck.policy.evaluation import Evaluation
from mpcheck.policy.judging.force_tests import ForceTests, force_tests
from mpcheck.policy.judging.reference import WholeReference, whole_reference
from mpcheck.policy.judging.structures import Sets, structure_sets
from mpcheck.systems import resolve_system
from tests.unit.checks.uses.small_models import built


@cache
def small() -> LoadedModel:
    """A random H/O model of two interactions."""
    return LoadedModel("small", built("ScaleShiftMACE"))


@cache
def water() -> tuple[Atoms, ...]:
    """Periodic water, nine atoms."""
    return resolve_system("builtin:water:3", small().elements, small().r_max).frames


def crystal() -> Atoms:
    """A perfect crystal of the small model's elements: no force in it."""
    return bulk("HO", "cesiumchloride", a=2.4) * (2, 1, 1)


def drop() -> Atoms:
    """A molecule of water."""
    return molecule("H2O")


@cache
def sets() -> Sets:
    """What is made of the water."""
    return structure_sets(water(), small().r_max)


@cache
def reference() -> WholeReference:
    """In this process."""
    return whole_reference(small(), sets(), in_process=True)


@cache
def judged_by() -> ForceTests:
    """All of them are."""
    return force_tests(sets(), reference().evaluation)


def exact() -> Evaluation:
    """Float64 values that may be written into."""
    return copy.deepcopy(reference().evaluation)


class Faulty(torch.nn.Module):
    """A model whose outputs somebody changes; called as upstream's are."""

    def __init__(self, change: Any, dtype: torch.dtype = torch.float64) -> None:
        """Args:
        change: of the dictionary of outputs, given that and the graph.
        """
        super().__init__()
        self.model = copy.deepcopy(small().module).to(dtype)
        self.change = change

    def forward(self, data: dict[str, torch.Tensor], **flags: bool) -> dict[str, Any]:
        """Upstream's outputs, changed."""
        given = dict(data)
        out = {k: v.detach() if isinstance(v, torch.Tensor) else v for k, v in self.model(data, **flags).items()}
        self.change(out, given)
        return out
