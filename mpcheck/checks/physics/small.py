"""Small structures whose edges lie where formulae are singular, and what every block of a model sees of them."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any
from weakref import WeakKeyDictionary

import numpy as np
from ase import Atoms

from mpcheck.adapters.backends.protocol import BackendModel
from mpcheck.adapters.blocks import Block
from mpcheck.adapters.execution import Tensors
from mpcheck.adapters.observe import Arguments, Observer
from mpcheck.checks.physics.structure import Case, evaluate
from mpcheck.formats import FLOAT64
from mpcheck.judge.context import Context

# Neighbours of an atom at the origin, in units of r_max. Seen from both ends of an edge, each direction comes with both signs.
# Distances stay 4 % below r_max, between one pair of neighbours 0.7 %: the envelope's kink there would disturb numerical derivatives.
AXES = ((0.5, 0, 0), (0, 0.42, 0), (0, 0, 0.58))
FACE_DIAGONALS = ((0.36, 0.36, 0), (0.4, -0.4, 0), (0.33, 0, 0.33), (0.43, 0, -0.43), (0, 0.38, 0.38), (0, 0.31, -0.31))
BODY_DIAGONALS = ((0.3, 0.3, 0.3), (0.32, -0.32, -0.32), (-0.26, 0.26, -0.26), (-0.28, -0.28, 0.28))
TILT = 1e-7  # of an edge that nearly lies along an axis: formulae switch, or cancel, where a component is tiny but not zero
NEARLY = tuple(tuple(TILT * 0.5 * (1 + i + j) if x == 0 else x for j, x in enumerate(row)) for i, row in enumerate(AXES))
NEIGHBOURS = {"coordinate axes": AXES, "face diagonals": FACE_DIAGONALS, "body diagonals": BODY_DIAGONALS, "nearly along axes": NEARLY}

_seen: WeakKeyDictionary[Context, Arguments] = WeakKeyDictionary()


@dataclass(frozen=True)
class CalledBlock:
    """One block and its float64 arguments."""

    block: Block
    skeleton: Any
    inputs: Tensors


def frames(case: Case) -> dict[str, Atoms]:
    """Structures of all elements in turn, without periodicity, by what is special about their edges."""
    elements, r_max = case.context.model.elements, case.context.model.r_max
    structures: dict[str, Atoms] = {}
    for i, (name, rows) in enumerate(NEIGHBOURS.items()):
        symbols = [elements[(i + j) % len(elements)] for j in range(len(rows) + 1)]
        structures[name] = Atoms(symbols, np.array([(0, 0, 0), *rows]) * r_max)
    return structures


def graph_of(case: Case) -> Tensors:
    """All these structures in one batch."""
    return case.graph(*frames(case).values())


def blocks(case: Case, backend: BackendModel) -> Iterator[CalledBlock]:
    """Leaves and steps that the backend has apart, in the order in which the model calls them, on the batch of structures.

    Arguments are those of the reference backend, so that all backends are judged at the same place.
    """
    context = case.context
    if context not in _seen:
        sink = Arguments()
        model = context.reference_backend.model
        with Observer(model, sink).watching():
            evaluate(model, graph_of(case), compute_force=False)
        _seen[context] = sink
    for block, skeleton, inputs in _seen[context].blocks.values():
        if block.kind != "composite" and not backend.unsupported(block, FLOAT64):
            yield CalledBlock(block, skeleton, {n: t.to(case.device) for n, t in inputs.items()})
