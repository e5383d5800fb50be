"""The rounding of what is stored, which is known before anything runs: weights by block, and coordinates."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import torch

from mpcheck.adapters.facts.channels import matrices
from mpcheck.formats import BF16, F16, F32, PACKED, Storage
from mpcheck.policy.noise.isolation import Change
from mpcheck.policy.running.packed import Packed

PLAIN: tuple[Storage, ...] = (F32, BF16, F16)
WEIGHTED: tuple[Storage, ...] = (BF16, F16, "float8_e4m3fn", "int8")
"""Types of which every block's own rounding is looked at."""


def rounded(module: torch.nn.Module, storage: Storage) -> dict[str, torch.Tensor]:
    """A module's float64 tensors as a storage type keeps them, in float64, by name; buffers too, where the type is one that is computed in."""
    if storage in PACKED:
        return _packed(module, storage)
    named = {**dict(module.named_parameters()), **dict(module.named_buffers())}
    dtype: torch.dtype = getattr(torch, storage)
    return {n: t.detach().to(dtype).to(t.dtype) for n, t in named.items() if t.is_floating_point()}


def _packed(module: torch.nn.Module, storage: Storage) -> dict[str, torch.Tensor]:
    parameters = {n: p.detach() for n, p in module.named_parameters() if p.numel()}
    parts: dict[str, Any] = {n: matrices(module, n, p) if storage == "int8" else [] for n, p in parameters.items()}
    if any(found is None for found in parts.values()):  # no policy can store it so
        return {}
    weights = Packed(storage, parameters, parts).weights(torch.float64)
    return {n: weights[n].to(p.dtype) for n, p in parameters.items()}


def change(module: torch.nn.Module, storage: Storage) -> Change | None:
    """The rounding of a module's tensors, for a :class:`mpcheck.policy.noise.isolation.Treatment`; None where no bit changes."""
    named = {**dict(module.named_parameters()), **dict(module.named_buffers())}
    known = {named[n].data_ptr(): r for n, r in rounded(module, storage).items() if not torch.equal(named[n], r)}
    return (lambda t: known.get(t.data_ptr(), t)) if known else None


def coordinates(graph: Mapping[str, torch.Tensor], dtype: torch.dtype) -> dict[str, torch.Tensor]:
    """A structure's tensors as a model of another type is given them, in float64."""
    return {n: t.to(dtype).to(t.dtype) if t.is_floating_point() else t for n, t in graph.items()}
