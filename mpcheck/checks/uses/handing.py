"""What upstream's calculator hands to the model, against the tensors of a graph."""

from __future__ import annotations

from collections.abc import Generator

import torch
from ase import Atoms

from mpcheck.adapters.calculator import Recording
from mpcheck.adapters.execution import Tensors
from mpcheck.checks.physics.structure import Values
from mpcheck.checks.uses.asking import Difference
from mpcheck.checks.uses.door import Door, same
from mpcheck.checks.uses.results import given

CHARGES = "Qs"
"""The array of a structure in which upstream's calculator looks for charges of atoms unless it is told another."""


def handed(door: Door, frame: Atoms, graph: Tensors, of: str = "") -> Generator[Difference, None, Values]:
    """What the calculator hands to the model, against tensors of a graph; returns its results."""
    spy = Recording(door.case.model)
    frame.calc = door.open(spy, charges_key=CHARGES)
    frame.calc.calculate(frame)
    own, theirs = by_edge(graph), by_edge(spy.graphs[-1])
    for name, value in own.items():
        # positions and cells are copied, and products of integers with cells are the same arithmetic: nothing may differ
        equal = name in theirs and theirs[name].shape == value.shape and torch.equal(theirs[name].to(value), value)
        yield same(equal, f"{name}, a tensor that it hands over{of},")
    return given(frame.calc.results)


def by_edge(graph: Tensors) -> Tensors:
    """A graph whose edges are sorted: their order says nothing."""
    if "edge_index" not in graph:
        return graph
    keys = torch.cat([graph["edge_index"].T, graph["unit_shifts"].round().long()], 1)
    order = torch.tensor(sorted(range(len(keys)), key=lambda i: keys[i].tolist()), dtype=torch.long, device=keys.device)
    moved = {"edge_index": graph["edge_index"][:, order], **{n: graph[n][order] for n in ("shifts", "unit_shifts")}}
    kept = ("positions", "node_attrs", "cell", "head", "batch", "ptr", "total_charge", "total_spin", "charges")
    return moved | {n: graph[n] for n in kept if n in graph}
