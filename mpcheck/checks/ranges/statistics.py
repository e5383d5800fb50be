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


def extremes(x: torch.Tensor) -> tuple[float, float]:
    """Largest and smallest magnitude of the finite numbers of a tensor that are not zero; zeros of none."""
    sizes = x.detach().abs()
    least, most = (float(end) for end in torch.aminmax(sizes))
    if least > 0 and most < math.inf:
        return most, least
    own = sizes[sizes.isfinite() & (sizes > 0)]
    return (float(own.max()), float(own.min())) if own.numel() else (0.0, 0.0)


def magnitudes(x: torch.Tensor, formats: Sequence[Format] = ()) -> Magnitudes:
    """Of a floating-point tensor of any shape."""
    sizes = x.detach().to(torch.float64).abs()
    finite = sizes.isfinite()
    nonfinite = int(sizes.numel() - finite.sum())
    own = sizes[finite & (sizes > 0)]
    held = sizes.numel() - nonfinite
    if not own.numel():
        return Magnitudes(sizes.numel(), zeros=1.0 if held else 0.0, nonfinite=nonfinite, beside={f.name: Beside(0.0, 0.0, 0.0) for f in formats})
    most, binades = float(own.max()), _Binades(own)
    low, middle, high = binades.quantiles()
    row = int(torch.where(finite, sizes, -1.0).reshape(len(sizes), -1).amax(1).argmax()) if sizes.dim() else 0
    return Magnitudes(
        sizes.numel(), most, float(own.min()), 1.0 - own.numel() / held, nonfinite, low, middle, high, row,
        {f.name: binades.beside(f, most) for f in formats},
    )  # fmt: skip


class _Binades:
    """How many magnitudes [numbers] there are of each power of two: limits of formats are powers of two, and need no further look at them."""

    def __init__(self, sizes: torch.Tensor) -> None:
        powers = torch.frexp(sizes).exponent - 1
        self.sizes, self.least = sizes, int(powers.min())
        self.sums = torch.bincount(powers - self.least).cumsum(0).cpu()

    def quantiles(self) -> list[int]:
        """Powers of two that shares of them lie below."""
        return [self.least + int((self.sums >= math.ceil(share * len(self.sizes))).int().argmax()) for share in SHARES]

    def below(self, limit: float) -> int:
        """How many are smaller than a power of two."""
        place = math.frexp(limit)[1] - 1 - self.least
        return 0 if place <= 0 else int(self.sums[min(place, len(self.sums)) - 1])

    def beside(self, fmt: Format, most: float) -> Beside:
        """Shares beside a format's limits. Half of the smallest number rounds to its even neighbour, zero; of float64 it is no number."""
        half = fmt.smallest / 2
        flushed = self.below(half) + int((self.sizes == half).sum()) if half and self.below(2 * half) else 0
        beyond = int((self.sizes > fmt.largest).sum()) if most > fmt.largest else 0
        return Beside(*(count / len(self.sizes) for count in (self.below(fmt.smallest_normal) - flushed, flushed, beyond)))


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
