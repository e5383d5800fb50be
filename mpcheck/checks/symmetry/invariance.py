"""Blocks of which equivariance cannot be stated: an argument without irreps that nevertheless turns with the structure."""

from __future__ import annotations

from typing import Any
from weakref import WeakKeyDictionary

import torch

from mpcheck.adapters.blocks import Block
from mpcheck.adapters.execution import Tensors
from mpcheck.adapters.facts.rotation import Turn, odd
from mpcheck.adapters.observe import Arguments, Observer
from mpcheck.adapters.upstream import quiet
from mpcheck.judge.context import Context
from mpcheck.reference.library import Library

CHANGED = 1e-3  # relative RMS; a tensor with l > 0 parts changes by order one, rounding in float64 by 1e-14
PROBE = Turn((0.8, 0.3, -0.4, 0.35))  # 74 degrees about no special axis
VECTORS = ("positions", "shifts", "cell")
_FOUND: WeakKeyDictionary[Library, dict[str, str]] = WeakKeyDictionary()


class _Plain(Arguments):
    """A sink that keeps floating-point arguments without irreps."""

    def inputs(self, block: Block, skeleton: Any, tensors: dict[str, torch.Tensor]) -> None:
        """Keep some."""
        super().inputs(block, skeleton, {n: t for n, t in tensors.items() if t.is_floating_point() and block.input_slot(n).irreps is None})


def turned_graph(graph: Tensors, turn: Turn) -> Tensors:
    """A graph's positions, shifts and cells, turned; its edges stay."""
    return {n: turn.vectors(t) if n in VECTORS else t.clone() for n, t in graph.items()}


def _plain_arguments(context: Context, graph: Tensors) -> dict[str, Tensors]:
    backend, sink = context.reference_backend, _Plain()
    with quiet(), Observer(backend.model, sink).watching():
        backend.model({n: t.to(backend.device) for n, t in graph.items()}, compute_force=False)
    return {name: tensors for name, (_, _, tensors) in sink.blocks.items()}


def _probe(context: Context, system: str) -> dict[str, str]:
    graph = context.graph(system)
    before = _plain_arguments(context, {n: t.clone() for n, t in graph.items()})
    after = _plain_arguments(context, turned_graph(graph, PROBE))
    undeclared_tensors: dict[str, str] = {}
    for block, tensors in before.items():
        for name, tensor in tensors.items():
            now = after.get(block, {}).get(name)
            if now is None or now.shape != tensor.shape or not tensor.numel():
                continue
            change = float((now - tensor).norm()) / (float(tensor.norm()) or 1.0)
            if change > CHANGED:
                undeclared_tensors[block] = f"its argument {name} declares no irreps, yet changes by {change:.2g} when the structure turns"
    return undeclared_tensors


def undeclared(context: Context, system: str, block: Block) -> str | None:
    """Why the equivariance of a block cannot be stated; None where it can.

    Results without irreps of a block with vector arguments are taken to be invariant where they are one number a row or
    where another result is declared; otherwise nobody knows what they are.
    """
    library = context.library(system)
    if library not in _FOUND:
        _FOUND[library] = _probe(context, system)
    if block.name in _FOUND[library]:
        return _FOUND[library][block.name]
    if any(odd(s) for s in block.inputs.values()) and not block.outputs:
        values = library.get(block.name).values
        if any(n.startswith("out") and v.ndim > 1 and v.shape[-1] > 1 for n, v in values.items()):
            return "its arguments turn with the structure and its results declare no irreps"
    return None
