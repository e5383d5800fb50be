"""One energy-and-force call."""

from __future__ import annotations

import copy

import torch

from mpcheck.policy.evaluation import evaluate
from mpcheck.policy.judging.batches import graph_of
from tests.unit.policy.judged_samples import drop, small, water


def test_structures_without_a_volume_have_no_stress() -> None:
    """Upstream's neighbour list invents a cell for a molecule, and a stress by its volume."""
    graph, periodic = graph_of([drop(), *water()], small())
    found = evaluate(small().module, graph, "cpu", periodic)
    assert bool(found.stress[0].isnan().all()) and bool(found.stress[1].isfinite().all())
    assert bool(found.interaction.isfinite().all())


def test_stress_in_sixteen_bits() -> None:
    """Torch has no determinant in them: the stress follows from the virials, and is float64's to a few percent."""
    graph, periodic = graph_of(water(), small())
    right = evaluate(small().module, graph, "cpu", periodic)
    found = evaluate(copy.deepcopy(small().module).to(torch.bfloat16), graph, "cpu", periodic)
    assert 0.0 < float((found.stress - right.stress).norm() / right.stress.norm()) < 0.3
