"""Twins of faults of arithmetic: products and sums in another order or in pieces, rounded as often as they should be, or less."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import torch
from torch.utils._python_dispatch import TorchDispatchMode

from mpcheck.adapters.upstream import mace
from mpcheck.sessions.run import Session
from tests.faults.patches.arithmetic import PRODUCTS, aten, rounded_to
from tests.faults.patches.planting import dtype_named, exchanged, patch
from tests.faults.twins.acting import Acts, wide

HALF = 11
"""Explicit bits of an operand's leading half: twelve with the hidden one, so that a product of two halves is exact in float32."""


class _Split(TorchDispatchMode):
    def __init__(self, acts: Acts) -> None:
        super().__init__()  # type: ignore[no-untyped-call]
        self.acts = acts

    def __torch_dispatch__(self, func: Any, types: Any, args: Any = (), kwargs: Any = None) -> Any:
        if func not in PRODUCTS or args[0].dtype != torch.float32 or kwargs:
            return func(*args, **(kwargs or {}))
        self.acts()
        end = PRODUCTS[func]
        a, b = args[end - 2 : end]
        high = [rounded_to(t, HALF) for t in (a, b)]
        low = [t - h for t, h in zip((a, b), high, strict=True)]
        alone = aten.mm.default if a.dim() == 2 else aten.bmm.default
        small = alone(low[0], high[1]) + alone(high[0], low[1])  # low times low is below one roundoff of a term
        return func(*args[: end - 2], *high, *args[end:]) + small


class _Blocked(TorchDispatchMode):
    def __init__(self, acts: Acts, terms: int, dtype: torch.dtype) -> None:
        super().__init__()  # type: ignore[no-untyped-call]
        self.acts, self.terms, self.dtype = acts, terms, dtype

    def __torch_dispatch__(self, func: Any, types: Any, args: Any = (), kwargs: Any = None) -> Any:
        if func not in (aten.mm.default, aten.bmm.default) or args[0].dtype != self.dtype:
            return func(*args, **(kwargs or {}))
        self.acts()
        a, b = (wide(t) for t in args)
        starts = list(range(0, a.shape[-1], self.terms))[::-1]
        pieces = [func(a[..., s : s + self.terms], b[..., s : s + self.terms, :]) for s in starts] or [func(a, b)]
        return torch.stack(pieces).sum(0).to(self.dtype)


@patch
def operands_in_two_halves(session: Session, acts: Acts) -> Iterator[None]:
    """Float32 products of operands cut into a high and a low half, in three products."""
    with _Split(acts):
        yield


@patch
def sums_in_blocks(session: Session, acts: Acts, terms: int, dtype: str) -> Iterator[None]:
    """Products whose sums run in blocks from the last to the first, in float32, and are rounded to the storage type once."""
    with _Blocked(acts, terms, dtype_named(dtype)):
        yield


@patch
def scatter_one_after_another_wide(session: Session, acts: Acts, dtype: str) -> Iterator[None]:
    """Messages added one after another in float32, from the last, and rounded once: the declared wide accumulation."""

    def make(original: Any) -> Any:
        def scatter(src: torch.Tensor, index: torch.Tensor, dim: int = -1, out: Any = None, dim_size: int | None = None) -> torch.Tensor:
            if src.dtype != dtype_named(dtype) or dim != 0:
                return original(src=src, index=index, dim=dim, out=out, dim_size=dim_size)  # type: ignore[no-any-return]
            acts()
            terms = wide(src)
            result = torch.zeros(dim_size or 0, *src.shape[1:], dtype=terms.dtype)
            order = torch.argsort(index, stable=True)
            counts = torch.bincount(index, minlength=dim_size or 0)
            last = counts.cumsum(0) - 1
            for k in range(int(counts.max())):
                rows = torch.nonzero(counts > k).flatten()
                result = result.index_copy(0, rows, result[rows] + terms[order[last[rows] - k]])
            return result.to(src.dtype)

        return scatter

    with exchanged(mace.modules.blocks, "scatter_sum", make):
        yield


class _HalfAway(torch.autograd.Function):
    """Float32 to bfloat16, ties away from zero instead of to even."""

    @staticmethod
    def forward(ctx: Any, x: torch.Tensor) -> torch.Tensor:
        bits = (x.contiguous().view(torch.int32) + 0x8000) & ~0xFFFF  # sign and magnitude: the magnitude rounds
        return bits.view(torch.float32).to(torch.bfloat16)

    @staticmethod
    def backward(ctx: Any, grad: torch.Tensor) -> torch.Tensor:
        return grad.float()


@patch
def scatter_rounded_away(session: Session, acts: Acts) -> Iterator[None]:
    """Sums of messages in float32 whose ties are rounded away from zero."""

    def make(original: Any) -> Any:
        def scatter(src: torch.Tensor, index: torch.Tensor, **kwargs: Any) -> torch.Tensor:
            if src.dtype != torch.bfloat16:
                return original(src=src, index=index, **kwargs)  # type: ignore[no-any-return]
            acts()
            return _HalfAway.apply(original(src=src.float(), index=index, **kwargs))  # type: ignore[no-any-return,no-untyped-call]

        return scatter

    with exchanged(mace.modules.blocks, "scatter_sum", make):
        yield
