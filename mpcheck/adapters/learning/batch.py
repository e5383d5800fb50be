"""A labelled batch as upstream's trainer takes it, of a graph that is made already."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import torch

from mpcheck.adapters.upstream import mace

WEIGHTS = ("weight", "energy_weight", "forces_weight", "stress_weight", "virials_weight")
"""Of a structure, and of each of its labels; upstream's data have them all."""


def labelled(graph: Mapping[str, torch.Tensor], labels: Mapping[str, torch.Tensor], dtype: torch.dtype, device: torch.device) -> Any:
    """Upstream's batch of a graph with labels, every floating-point tensor in a type; nothing of it is shared with the arguments.

    Args:
        graph: see :func:`mpcheck.adapters.graph.make_graph`.
        labels: energy [graphs] in eV, forces [atoms, 3] in eV/Å, stress [graphs, 3, 3] in eV/Å^3, weight [graphs], some of them;
            weights that are not given are one.
    """
    graphs = int(graph["ptr"].numel()) - 1
    ones = {name: torch.ones(graphs, dtype=torch.float64) for name in WEIGHTS}

    def placed(t: torch.Tensor) -> torch.Tensor:
        return t.to(device=device, dtype=dtype if t.is_floating_point() else t.dtype, copy=True)

    return mace.tools.torch_geometric.Batch(**{name: placed(t) for name, t in {**ones, **graph, **labels}.items()})
