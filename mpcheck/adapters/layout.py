"""Explicit, bit-exact conversion between the layouts of irreps tensors.

``mul_ir`` (e3nn) keeps the 2l+1 components of one channel together: ``[rows, mul, 2l+1]`` per irrep, flattened. ``ir_mul``
(cuEquivariance's fast layout) keeps the channels of one component together: ``[rows, 2l+1, mul]``. Only transposes and
copies: no arithmetic, so that a conversion never rounds and is exact in both directions and under autograd.
"""

from __future__ import annotations

from typing import Literal

import torch

from mpcheck.adapters.slots import Slot
from mpcheck.adapters.upstream import o3

Layout = Literal["mul_ir", "ir_mul"]


def transpose_flat(x: torch.Tensor, irreps: str, source: Layout) -> torch.Tensor:
    """A ``[..., irreps.dim]`` tensor from ``source`` into the other layout."""
    parts = []
    for (mul, ir), where in zip(o3.Irreps(irreps), o3.Irreps(irreps).slices(), strict=True):
        block = x[..., where]
        shape = (mul, ir.dim) if source == "mul_ir" else (ir.dim, mul)
        parts.append(block.reshape(*x.shape[:-1], *shape).transpose(-1, -2).reshape(*x.shape[:-1], mul * ir.dim))
    return torch.cat(parts, dim=-1) if parts else x


def convert(x: torch.Tensor, slot: Slot, source: Layout, target: Layout) -> torch.Tensor:
    """A block's tensor from one layout into another; plain tensors pass unchanged.

    Args:
        x: ``[rows, irreps.dim]`` for flat slots; ``[rows, mul, dim]`` (mul_ir) or ``[rows, dim, mul]`` (ir_mul) for channels.
    """
    if source == target or slot.irreps is None:
        return x
    if slot.form == "channels":
        return x.transpose(1, 2).contiguous()
    if slot.form == "flat" and x.shape[-1] == o3.Irreps(slot.irreps).dim:
        return transpose_flat(x, slot.irreps, source)
    return x
