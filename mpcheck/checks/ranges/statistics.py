"""Magnitudes of one tensor's numbers, alone and beside the range of each format; how it lies in memory."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

import torch

from mpcheck.adapters.slots import PLAIN, Slot
from mpcheck.formats import Format
from mpcheck.records.range_figures import Layout

SHARES = (0.05, 0.5, 0.95)
ALIGNED = (64, 32, 16, 8, 4, 2)


@dataclass(frozen=True)
class Beside:
    """Shares of the numbers that are not zero: see :class:`mpcheck.records.range_figures.TensorRange`."""

    subnormal: float
    flushed: float
    beyond: float


@dataclass(frozen=True)
class Magnitudes:
    """Of the finite numbers of a tensor that are not zero; see :class:`mpcheck.records.range_figures.TensorRange`.

    Attributes:
        count: of all numbers. row: index along the first axis of the largest one.
    """

    count: int
    largest: float = 0.0
    smallest: float = 0.0
    zeros: float = 0.0
    nonfinite: int = 0
    low: int = 0
    middle: int = 0
    high: int = 0
    row: int = 0
    beside: Mapping[str, Beside] = field(default_factory=dict)

    @property
    def binades(self) -> float:
        """Powers of two from the smallest magnitude to the largest; 0 of nothing."""
        return math.log2(self.largest) - math.log2(self.smallest) if self.smallest > 0 else 0.0


def magnitudes(x: torch.Tensor, formats: Sequence[Format] = ()) -> Magnitudes:
    """Of a floating-point tensor of any shape."""
    sizes = x.detach().to(torch.float64).abs()
    finite = sizes.isfinite()
    nonfinite = int(sizes.numel() - finite.sum())
    own = sizes[finite & (sizes > 0)]
    held = sizes.numel() - nonfinite
    if not own.numel():
        return Magnitudes(sizes.numel(), zeros=1.0 if held else 0.0, nonfinite=nonfinite, beside={f.name: Beside(0.0, 0.0, 0.0) for f in formats})
    low, middle, high = _binades(own)
    row = int(torch.where(finite, sizes, -1.0).reshape(len(sizes), -1).amax(1).argmax()) if sizes.dim() else 0
    return Magnitudes(
        sizes.numel(), float(own.max()), float(own.min()), 1.0 - own.numel() / held, nonfinite, low, middle, high, row,
        {f.name: _beside(own, f) for f in formats},
    )  # fmt: skip


def _binades(sizes: torch.Tensor) -> list[int]:
    """Powers of two of the magnitudes [numbers] that shares of them lie below."""
    powers = torch.frexp(sizes).exponent - 1
    least = int(powers.min())
    sums = torch.bincount(powers - least).cumsum(0).cpu()
    return [least + int((sums >= math.ceil(share * len(sizes))).int().argmax()) for share in SHARES]


def _beside(sizes: torch.Tensor, fmt: Format) -> Beside:
    half = fmt.smallest / 2  # ties go to the even neighbour, which is zero; of float64 it is no number, and nothing is lost
    flushed = (sizes <= half).sum()
    below = (sizes < fmt.smallest_normal).sum()
    return Beside(*(float(n) / len(sizes) for n in (below - flushed, flushed, (sizes > fmt.largest).sum())))


def layout(x: torch.Tensor, slot: Slot = PLAIN, memory: Mapping[int, Sequence[str]] | None = None) -> Layout:
    """How a tensor lies in memory.

    Args:
        slot: of the block's argument or result. memory: names of other tensors of the block by the address of their memory.
    """
    shape, numbers = tuple(x.shape), x.element_size() * x.numel()
    place = x.untyped_storage().data_ptr()
    expanded = any(stride == 0 and size > 1 for size, stride in zip(shape, x.stride(), strict=True))
    irreps = slot.irreps if slot.irreps is not None and shape and slot.groups(shape)[0][0] else ""
    return Layout(
        shape=list(shape), strides=list(x.stride()), irreps=irreps, form=slot.form if irreps else "", dtype=str(x.dtype).removeprefix("torch."),
        device=x.device.type, contiguous=x.is_contiguous(), expanded=expanded, part=not expanded and x.untyped_storage().nbytes() > numbers,
        shares=list((memory or {}).get(place, ())) if x.numel() else [],
        alignment=next((a for a in ALIGNED if x.data_ptr() % a == 0), 1),
    )  # fmt: skip
