"""How far a whole model under a policy is from doing the same on a structure that was turned, shifted, put in another order, or batched."""

from __future__ import annotations

import math
from dataclasses import dataclass, replace

import torch
from ase import Atoms

from mpcheck.adapters.facts.rotation import Turn
from mpcheck.adapters.load import LoadedModel
from mpcheck.checks.symmetry.group import Element, Shift, Shuffle
from mpcheck.checks.symmetry.invariance import PROBE, turned_graph
from mpcheck.checks.symmetry.moved import moved_frame
from mpcheck.policy.evaluation import Evaluation, evaluate
from mpcheck.policy.judging.batches import graph_of, selected
from mpcheck.policy.judging.force_tests import rms
from mpcheck.policy.judging.metrics import MILLI

ELEMENTS: tuple[Element, ...] = (PROBE, Shuffle(True, False, seed=1), Shift((7.3, -4.1, 5.9)))
"""A turn about no special axis, another order of all atoms, and a shift as large as boxes of molecular dynamics are."""
BATCHED = "batch"


@dataclass(frozen=True)
class EquivarianceError:
    """What one change of a structure does that it should not.

    Attributes:
        change: in words; ``kind``: rotation, permutation, translation or batch. force_meV_per_A: RMS over components.
        stress_meV_per_A3: RMS over components; None where there is no stress. absent: why there are no figures.
    """

    kind: str
    change: str
    energy_meV_per_atom: float | None = None
    force_meV_per_A: float | None = None
    stress_meV_per_A3: float | None = None
    absent: str = ""


def equivariance(
    model: torch.nn.Module, loaded: LoadedModel, frame: Atoms, before: Evaluation, other: Atoms, device: torch.device | str = "cpu"
) -> list[EquivarianceError]:
    """Of each element of the group, and of a second structure in the batch.

    Args:
        model: under the policy. frame: the structure, and ``before`` what the model gives for it alone. other: the second structure.

    Raises:
        BaseException: whatever the model raises.
    """
    errors = [_of(element, model, loaded, frame, before, device) for element in ELEMENTS]
    graph, periodic = graph_of([other, frame], loaded)
    together = selected(evaluate(model, graph, device, periodic), [1])
    return [*errors, _error(BATCHED, "in a batch with another structure, against alone", together, before)]


def _of(
    element: Element, model: torch.nn.Module, loaded: LoadedModel, frame: Atoms, before: Evaluation, device: torch.device | str
) -> EquivarianceError:
    still = torch.zeros(len(frame), 3, dtype=torch.float64)
    graph, periodic = graph_of([moved_frame(frame, element, still)], loaded)
    if isinstance(element, Turn) and frame.pbc.any() and not frame.pbc.all():  # upstream searches such cells along fixed axes
        graph = turned_graph(dict(graph_of([frame], loaded)[0]), element)
    expected = before
    if isinstance(element, Turn):
        turn = element.vectors
        stress = turn(turn(before.stress).transpose(1, 2)).transpose(1, 2)
        expected = replace(before, forces=turn(before.forces), stress=stress)
    elif isinstance(element, Shuffle):
        forces = before.forces[element.order(len(frame), element.atoms)]
        expected = replace(before, forces=forces)
    return _error(element.kind, element.text, evaluate(model, graph, device, periodic), expected)


def _error(kind: str, text: str, found: Evaluation, expected: Evaluation) -> EquivarianceError:
    energy, forces = found.energy - expected.energy, found.forces - expected.forces
    stress = found.stress - expected.stress
    if not bool(energy.isfinite().all() and forces.isfinite().all()):
        return EquivarianceError(kind, text, absent="values are no numbers")
    told = rms(stress) * MILLI
    return EquivarianceError(
        kind, text, float(energy.abs()) / len(forces) * MILLI, rms(forces) * MILLI, told if math.isfinite(told) else None
    )  # fmt: skip
