"""What records of ranges hold: how large and how small the numbers of each tensor are, how it lies in memory, and when a format ends."""

from __future__ import annotations

from typing import Any, Literal

from mpcheck._files.yaml import Strict
from mpcheck.records.tensors import Number
from mpcheck.records.typed_figures import TypedFigures

Kind = Literal["input", "output", "weight", "gradient", "way"]
"""way: results of operations on the way from inputs to outputs."""
Grows = Literal["atoms", "neighbours"]


class Layout(Strict):
    """How a tensor lies in memory.

    Attributes:
        irreps, form: of its last axes, see :class:`mpcheck.adapters.slots.Slot`; empty where it has none.
        dtype, device: torch's names.
        contiguous: whether its numbers lie one after another. expanded: whether several of them are one in memory.
        part: whether it is a part of a larger memory. shares: tensors of the same block that lie in the same memory.
        alignment: bytes, the largest power of two up to 64 that its first number's address is a multiple of.
    """

    shape: list[int]
    strides: list[int]
    irreps: str = ""
    form: str = ""
    dtype: str
    device: str
    contiguous: bool
    expanded: bool
    part: bool
    shares: list[str] = []
    alignment: int

    @property
    def plain(self) -> bool:
        """Whether there is nothing to say of it."""
        return self.contiguous and not self.expanded and not self.shares


class Reach(Strict):
    """What a tensor's largest magnitude does as a structure grows.

    Attributes:
        by: what grows. now: how many there are: atoms of the structure, or neighbours of the atom that has most.
        power: that it grows with; 0 where no growth was seen, None where it follows none. known: by what the tensor is, not by measurement.
        end: how many reach the format's largest number; None where that is not known, or never. within: how many do not; the same number where
            a power says it, else the last that was tried before.
    """

    by: Grows
    now: Number = None
    power: Number = None
    known: bool = False
    end: Number = None
    within: Number = None


class TensorRange(Strict):
    """One tensor, in one format. Shares are of its numbers that are not zero, but ``zeros``, which is of all.

    Attributes:
        name: ``in.x``, ``out``, ``weight.w``, ``grad.out``, ``grad.weight.w``; ``way``, of which there are no shares.
        largest, smallest: magnitudes of finite numbers that are not zero. binades: powers of two from one to the other.
        low, middle, high: power of two of the magnitude that 5, 50 and 95 % lie below.
        nonfinite: how many are none.
        subnormal: below the format's normal range, where it has fewer digits; flushed: that it rounds to zero; beyond: above its largest.
        headroom: factors of two from the largest magnitude to the format's.
        worst: of ``way``, the operation with the largest result.
    """

    name: str
    kind: Kind
    layout: Layout | None = None
    largest: Number = None
    smallest: Number = None
    binades: Number = None
    low: Number = None
    middle: Number = None
    high: Number = None
    zeros: Number = None
    nonfinite: int = 0
    subnormal: Number = None
    flushed: Number = None
    beyond: Number = None
    headroom: Number = None
    reach: list[Reach] = []
    worst: str = ""


class Ranges(TypedFigures):
    """The tensors of a block, in one format and direction: check ``ranges``.

    Attributes:
        role, block: as in :class:`mpcheck.records.tensors.Tensors`. smallest, normal, end: the format's smallest positive, smallest
            normal and largest number.
    """

    kind: Literal["tensor-ranges"] = "tensor-ranges"
    role: str = ""
    block: Literal["leaf", "step", "composite", ""] = ""
    smallest: Number
    normal: Number
    end: Number
    ranges: list[TensorRange] = []

    @property
    def figures(self) -> dict[str, Any]:
        """Of the tensor with the largest magnitude, and the worst shares."""
        told = [one for one in self.ranges if one.largest is not None]
        if not told:
            return {}
        first = max(told, key=lambda one: one.largest or 0.0)
        shares = {name: max((v for one in self.ranges if (v := getattr(one, name)) is not None), default=None) for name in ("subnormal", "flushed")}
        found = {"tensor": first.name, "largest": first.largest, "headroom": first.headroom, **shares}
        return {name: value for name, value in found.items() if value is not None}
