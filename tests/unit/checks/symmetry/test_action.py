"""Elements act on the inputs and outputs of a block, by edge vectors of a small graph."""

from __future__ import annotations

import math

import pytest
import torch

from mpcheck.adapters import blocks
from mpcheck.adapters.slots import Slot
from mpcheck.checks.symmetry.action import Action, Structure, perturb_geometry
from mpcheck.checks.symmetry.sampling import elements
from mpcheck.judge.context import Counts
from mpcheck.reference.noise import ETA


@pytest.fixture
def edges() -> tuple[Action, dict[str, torch.Tensor]]:
    """Edge vectors of seven atoms in a sheared cell, eleven edges."""
    generator = torch.Generator().manual_seed(3)
    cell = torch.tensor([[5.0, 0.0, 0.0], [1.0, 4.0, 0.0], [0.0, 0.5, 6.0]], dtype=torch.float64)
    index = torch.randint(0, 7, (2, 11), generator=generator)
    shifts = torch.randint(-1, 2, (11, 3), generator=generator).double() @ cell
    tensors = {"positions": torch.rand(7, 3, dtype=torch.float64, generator=generator) * 4, "edge_index": index, "shifts": shifts}
    slot = Slot("1x1o", "flat")
    block = blocks.Block("edge_vectors", "step", "", "", {"positions": slot, "shifts": slot}, {"out.0": slot}, 0)
    return Action(block, Structure(Counts(7, 11, 1), 3, cell.expand(7, 3, 3))), tensors


def vectors(t: dict[str, torch.Tensor]) -> torch.Tensor:
    return t["positions"][t["edge_index"][1]] - t["positions"][t["edge_index"][0]] + t["shifts"]


@pytest.mark.parametrize("element", elements(0, 2, 2, 2), ids=lambda e: e.text)
def test_edge_vectors_follow_every_element(edges: tuple[Action, dict[str, torch.Tensor]], element: object) -> None:
    action, tensors = edges
    assert action.applies(element, tensors)  # type: ignore[arg-type]
    result = vectors(action.inputs(tensors, element))  # type: ignore[arg-type]
    expected = action.output("out.0", vectors(tensors), element)  # type: ignore[arg-type]
    assert float((result - expected).abs().max()) < 1e-12


def test_a_perturbed_geometry_is_of_the_size_of_what_is_moved(edges: tuple[Action, dict[str, torch.Tensor]]) -> None:
    _, tensors = edges
    sizes = []
    for far in (0.0, 100.0):
        positions = tensors["positions"] + far
        swung, shifts = perturb_geometry(positions, tensors["shifts"], tensors["edge_index"], 5)
        sizes.append(float((swung - positions).norm()) / ETA)
        assert float((shifts - tensors["shifts"]).abs().max()) / ETA < 40
    assert sizes[1] > 10 * sizes[0] and 100 / 3 < sizes[1] < 100 * math.sqrt(21)


def test_permutations_are_not_stated_where_extents_cannot_be_told_apart() -> None:
    cells = torch.zeros(3, 3, 3, dtype=torch.float64)
    assert not Structure(Counts(3, 6, 1), 3, cells).distinguishable, "three atoms and three elements"
    assert Structure(Counts(5, 8, 1), 3, cells).distinguishable
    assert not Structure(Counts(5, 8, 1), 3, cells).periodic
