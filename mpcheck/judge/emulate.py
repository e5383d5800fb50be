"""tf32 where the hardware has none: operands of matrix products rounded to 11 significant bits.

The rounding itself is ml_dtypes-free and table-free: gfloat rounds to any format, and serves as the oracle of a test; on
float32 tensors the same round-to-nearest-even is one addition and one mask on the bits.
"""

from __future__ import annotations

from typing import Any

import torch

from mpcheck.reference.dispatch import DispatchMode
from mpcheck.reference.operations import operation_of


def round_significand(x: torch.Tensor, bits: int) -> torch.Tensor:
    """A float32 tensor rounded to ``bits`` significant bits, ties to even; infinities and NaN pass."""
    drop = 24 - bits
    raw = x.contiguous().view(torch.int32)
    half = (1 << (drop - 1)) - 1
    rounded = (raw + half + ((raw >> drop) & 1)) & ~((1 << drop) - 1)
    return torch.where(torch.isfinite(x), rounded.view(torch.float32).reshape(x.shape), x)


class OperandRounding(DispatchMode):
    """Rounds the float32 operands of every matrix product, forward and backward, as tf32 tensor cores do."""

    def __init__(self, bits: int) -> None:
        super().__init__()
        self.bits = bits

    def __torch_dispatch__(self, func: Any, types: Any, args: Any = (), kwargs: Any = None) -> Any:
        if operation_of(func).product:
            args = tuple(round_significand(a, self.bits) if isinstance(a, torch.Tensor) and a.dtype == torch.float32 else a for a in args)
        return func(*args, **(kwargs or {}))
