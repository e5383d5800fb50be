"""How much memory energies and forces of a structure take, told from parts of it."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
import torch

from mpcheck.adapters.upstream import quiet

BACKWARD = 3.0
"""Bytes at the peak of a call with forces for each byte that its forward pass keeps for the backward one. Measured: 1.3 (33 atoms of water, 128
channels), 1.5 (216 atoms of diamond, 16 channels), 2.2 (64 atoms of diamond, 128 channels, 157 neighbours each), and more than 2.5 with stress on
1,000 such atoms. Too little ends in a killed process, too much in a smaller structure.
"""


def kept_bytes(model: torch.nn.Module, graph: Mapping[str, torch.Tensor]) -> float:
    """Bytes that a forward pass keeps for the backward one, without the model's own."""
    held: dict[int, int] = {}

    def note(tensor: torch.Tensor) -> torch.Tensor:
        storage = tensor.untyped_storage()
        held[storage.data_ptr()] = storage.nbytes()
        return tensor

    own = {t.untyped_storage().data_ptr() for t in (*model.parameters(), *model.buffers())}
    given: dict[str, Any] = {n: t.clone() for n, t in graph.items()}
    with quiet(), torch.autograd.graph.saved_tensors_hooks(note, lambda t: t):
        result = model(given, compute_force=False)
    size = float(sum(size for place, size in held.items() if place not in own))
    del result
    return size


def forces_bytes(model: torch.nn.Module, parts: Sequence[Mapping[str, torch.Tensor]], atoms: int, edges: int) -> float:
    """Bytes that energy and forces take, to a factor of two.

    Args:
        model: float64. parts: two graphs of different size, see :func:`mpcheck.reference.cut.cut`. atoms, edges: of the whole structure.
    """
    sizes = np.array([[len(p["positions"]), p["edge_index"].shape[1]] for p in parts], dtype=float)
    bytes_of = np.array([kept_bytes(model, p) for p in parts])
    each, *_ = np.linalg.lstsq(sizes, bytes_of, rcond=None)
    by_edge = bytes_of[-1] / max(1.0, sizes[-1, 1])  # where the two parts do not tell atoms from edges: as if edges took all
    told = bool((each >= 0).all()) and bool(np.isfinite(each).all())
    return BACKWARD * float(each @ [atoms, edges] if told else by_edge * edges)
