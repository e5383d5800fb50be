"""Faults of arithmetic: operands, products and sums rounded where, or how, they should not be."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import torch
from torch.utils._python_dispatch import TorchDispatchMode

from mpcheck.sessions.run import Session
from tests.faults import planted
from tests.faults.patches.planting import dtype_named, patch

aten = torch.ops.aten
PRODUCTS = {aten.mm.default: 2, aten.bmm.default: 2, aten.addmm.default: 3, aten.baddbmm.default: 3}
"""Matrix products, and after how many arguments their tensors end."""


def rounded_to(x: torch.Tensor, bits: int) -> torch.Tensor:
    """A float32 tensor with so many explicit bits of its significand left, rounded to nearest even."""
    drop = 23 - bits
    raw = x.contiguous().view(torch.int32)
    half = (1 << (drop - 1)) - 1 + ((raw >> drop) & 1)
    return ((raw + half) & ~((1 << drop) - 1)).view(torch.float32)


class _Rounded(TorchDispatchMode):
    def __init__(self, bits: int) -> None:
        super().__init__()  # type: ignore[no-untyped-call]
        self.bits = bits

    def __torch_dispatch__(self, func: Any, types: Any, args: Any = (), kwargs: Any = None) -> Any:
        if func in PRODUCTS and args[0].dtype == torch.float32:
            operands = PRODUCTS[func]
            args = (*args[: operands - 2], *(rounded_to(a, self.bits) for a in args[operands - 2 : operands]), *args[operands:])
        return func(*args, **(kwargs or {}))


class _Chunked(TorchDispatchMode):
    def __init__(self, terms: int, dtype: torch.dtype) -> None:
        super().__init__()  # type: ignore[no-untyped-call]
        self.terms, self.dtype = terms, dtype

    def __torch_dispatch__(self, func: Any, types: Any, args: Any = (), kwargs: Any = None) -> Any:
        if func in (aten.mm.default, aten.bmm.default) and args[0].dtype == self.dtype:
            total = func(args[0][..., : self.terms], args[1][..., : self.terms, :])
            for start in range(self.terms, args[0].shape[-1], self.terms):
                total = total + func(args[0][..., start : start + self.terms], args[1][..., start : start + self.terms, :])
            return total
        return func(*args, **(kwargs or {}))


@patch
def operands_rounded(session: Session, bits: int) -> Iterator[None]:
    """Operands of float32 matrix products lose all but so many bits, as TF32's do."""
    with _Rounded(bits):
        yield


@patch
def partial_sums_rounded(session: Session, terms: int, dtype: str) -> Iterator[None]:
    """Matrix products that round their sum to the storage type after every so many terms."""
    with _Chunked(terms, dtype_named(dtype)):
        yield


@patch
def scatter_one_after_another(session: Session, dtype: str) -> Iterator[None]:
    """Messages are added one after another in the storage type."""
    with planted.sequential_scatter(dtype_named(dtype)):
        yield


@patch
def scatter_truncated(session: Session) -> Iterator[None]:
    """Sums of messages that are cut off to bfloat16 instead of rounded."""
    with planted.truncating_scatter():
        yield
