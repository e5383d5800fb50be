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


def differing(slot: Slot) -> list[str]:
    """Irreps of a slot whose components lie otherwise in the two layouts: more than one channel and more than one component."""
    if slot.irreps is None or slot.form == "plain":
        return []
    irreps = o3.Irreps(slot.irreps)
    if slot.form == "channels":  # one matrix [multiplicity, sum of 2l+1] for all irreps
        matrix = irreps[0].mul > 1 and sum(ir.dim for _, ir in irreps) > 1 if len(irreps) else False
        return [str(mul_ir) for mul_ir in irreps] if matrix else []
    return [str(mul_ir) for mul_ir in irreps if mul_ir.mul > 1 and mul_ir.ir.dim > 1]


def misread(x: torch.Tensor, slot: Slot, layout: Layout) -> torch.Tensor:
    """What a block of a layout takes a tensor for that reaches it in the other layout, stated in mul_ir.

    The memory stays as it is and is read wrongly, which is what happens where a conversion is forgotten; the shape does not
    give it away.

    Args:
        x: the tensor in mul_ir, ``[rows, irreps.dim]`` or ``[rows, mul, dim]``.
        layout: of the block that reads. An ``ir_mul`` block gets mul_ir memory, a ``mul_ir`` block gets ir_mul memory.
    """
    if not differing(slot):
        return x
    if slot.form == "channels":
        rows, mul, dim = x.shape
        return x.reshape(rows, dim, mul).transpose(1, 2).contiguous() if layout == "ir_mul" else x.transpose(1, 2).reshape(rows, mul, dim)
    return transpose_flat(x, slot.irreps or "", layout)
