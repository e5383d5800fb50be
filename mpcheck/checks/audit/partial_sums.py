"""In what precision sums are really kept: each sum of a run against the same sum in float64, and sweeps over its length.

The result ``y`` of an operation that adds up terms in a wider type and rounds once has the error of that rounding, which is
known exactly: it is the error of ``round(exact)``. What goes beyond comes from partial sums. Its root mean square, divided by
that of the partial sums (:func:`mpcheck.reference.sums.partial_sums`), is the roundoff that the partial sums were kept
with: near 2**-24 where they are float32, near the format's own where they are not.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass
from functools import cache
from typing import Any

import torch

from mpcheck.formats import WIDE, Accumulation, Component, Format
from mpcheck.judge.emulate import round_significand
from mpcheck.reference.operations import Operation
from mpcheck.reference.sums import partial_sums

DOUBLE = 2.0**-53
MIN_TERMS = 4  # fewer partial sums than this say nothing: two terms are rounded once by whatever way
LENGTHS = tuple(2**k for k in range(4, 14))
_COLUMNS = 16


def boundary(fmt: Format) -> float:
    """The roundoff of partial sums that separates wide from native: the geometric mean of the two predictions.

    Wide is float32 for formats below it, and float64 for float32 itself.
    """
    own = max(fmt.roundoff["operand"], fmt.roundoff["operation"])
    return math.sqrt(own * (WIDE if own > WIDE else DOUBLE))


def classify(roundoff: float, fmt: Format) -> Accumulation:
    """What a measured roundoff of partial sums means in a format; NaN counts as native."""
    return "wide" if roundoff <= boundary(fmt) else "native"


def _widened(value: Any, operation: Operation, bits: int | None) -> Any:
    """An argument in float64; operands of products rounded first where the format rounds them."""
    if isinstance(value, torch.Tensor) and value.is_floating_point():
        if bits is not None and operation.product and value.dtype == torch.float32:
            value = round_significand(value, bits)
        return value.to(torch.float64)
    return value


def terms_of(operation: Operation, args: tuple[Any, ...], result: torch.Tensor) -> float:
    """Terms per element of the result, on average: the number that decides whether partial sums matter."""
    tensors = [a for a in args if isinstance(a, torch.Tensor) and a.is_floating_point()]
    if operation.product:
        return float(tensors[-2].shape[-1]) if len(tensors) >= 2 and tensors[-2].dim() else 1.0
    return tensors[-1].numel() / max(1, result.numel()) if tensors else 1.0


@dataclass
class Sums:
    """All calls of one operation in one type during a run.

    Attributes:
        excess: summed squares of error beyond the final rounding; scale: of partial sums; both over all elements.
        terms: longest mean number of terms of a call; elements: results looked at.
    """

    component: Component
    excess: float = 0.0
    scale: float = 0.0
    terms: float = 0.0
    elements: int = 0
    calls: int = 0

    def add(self, excess: float, scale: float, terms: float, elements: int) -> None:
        """One call."""
        self.excess, self.scale = self.excess + excess, self.scale + scale
        self.terms, self.elements, self.calls = max(self.terms, terms), self.elements + elements, self.calls + 1

    @property
    def roundoff(self) -> float:
        """The roundoff that partial sums were kept with, over all calls."""
        if math.isnan(self.excess):
            return math.nan
        return math.sqrt(max(0.0, self.excess) / self.scale) if self.scale else 0.0


def measure(
    func: Any, operation: Operation, args: tuple[Any, ...], kwargs: dict[str, Any], result: torch.Tensor, bits: int | None
) -> tuple[float, float] | None:
    """Summed squared error beyond the final rounding, and summed square of the partial sums; None where nothing is summed.

    Where the exact sum lies outside the type's range there is nothing to measure; where it does not, a result that is not
    finite makes the error NaN.
    """
    if not result.is_floating_point() or result.dtype == torch.float64 or not result.numel():
        return None
    wide = tuple(_widened(a, operation, bits) for a in args)
    rest = {k: v for k, v in kwargs.items() if k != "dtype"}
    exact = func(*wide, **rest)
    if operation.in_place:
        wide = (torch.zeros_like(exact), *wide[1:])  # the call overwrote its first argument; only its shape matters below
    size = partial_sums(func, operation.name, wide, rest, exact)
    if size is None:
        return None
    rounded = exact.to(result.dtype).to(torch.float64)
    held = torch.isfinite(rounded)
    error, final = (result.to(torch.float64) - exact)[held], (rounded - exact)[held]
    excess = (error.square() - final.square()).sum()
    return float(excess), float(size.square()[held].sum())


class ReductionProbe:
    """Compares every sum of a run with the same sum in float64."""

    def __init__(self, fmt: Format) -> None:
        self.fmt = fmt
        self.sums: dict[tuple[str, torch.dtype], Sums] = {}

    def note(self, func: Any, operation: Operation, args: tuple[Any, ...], kwargs: dict[str, Any], result: Any) -> None:
        """One call of an operation that sums. ``args`` as they were before it."""
        if self.fmt.storage == torch.float64 or not isinstance(result, torch.Tensor) or operation.sums is None:
            return
        terms = terms_of(operation, args, result)
        if terms < MIN_TERMS:
            return
        figures = measure(func, operation, args, kwargs, result, self.fmt.operand_bits)
        if figures is not None and figures[1] > 0:
            sums = self.sums.setdefault((operation.name, result.dtype), Sums(operation.sums))
            sums.add(*figures, terms, result.numel())


@dataclass(frozen=True)
class Growth:
    """How an operation's error grows with the number of its terms.

    Attributes:
        roundoff: of the partial sums, at the longest length.
        slope: of log(error in units of the final rounding's) against log(terms): 0 where sums are wide, 1/2 to 1 where not.
        stuck: the first length at which a sum of ones is wrong; None where it never is.
    """

    roundoff: float
    slope: float
    stuck: int | None


def _crafted(name: str, x: torch.Tensor) -> torch.Tensor | None:
    """A sum over the first axis of ``x`` [terms, columns] by one aten operation; None for operations not known here."""
    ones = torch.ones(1, len(x), dtype=x.dtype, device=x.device)
    index = torch.zeros(len(x), dtype=torch.long, device=x.device)
    zero = torch.zeros(1, x.shape[1], dtype=x.dtype, device=x.device)
    ways: dict[str, Callable[[], torch.Tensor]] = {
        "mm": lambda: ones @ x,
        "addmm": lambda: torch.addmm(zero, ones, x),
        "bmm": lambda: torch.bmm(ones.unsqueeze(0), x.unsqueeze(0))[0],
        "baddbmm": lambda: torch.baddbmm(zero.unsqueeze(0), ones.unsqueeze(0), x.unsqueeze(0))[0],
        "mv": lambda: torch.mv(x.t().contiguous(), ones[0]).unsqueeze(0),
        "sum": lambda: x.sum(0, keepdim=True),
        "mean": lambda: x.mean(0, keepdim=True) * len(x),
        "scatter_add": lambda: zero.scatter_add(0, index.unsqueeze(1).expand_as(x), x),
        "index_add": lambda: zero.index_add(0, index, x),
        "index_put": lambda: zero.index_put((index,), x, accumulate=True),
    }
    way = ways.get({"_index_put_impl": "index_put"}.get(name.rstrip("_"), name.rstrip("_")))
    return None if way is None else way()


def sweep(way: Callable[[torch.Tensor], torch.Tensor], dtype: torch.dtype, device: torch.device) -> Growth:
    """A sum over the first axis of terms [terms, columns], over lengths from 2**4 to 2**13.

    The terms are of one sign, between 1/2 and 1; then ones, whose sum stops at 2**p in a type of p significant bits.
    """
    generator = torch.Generator().manual_seed(0)
    points, kept, stuck = [], 0.0, None
    for length in LENGTHS:
        x = (torch.rand(length, _COLUMNS, generator=generator, dtype=torch.float64) / 2 + 0.5).to(dtype).to(device)
        terms = x.to(torch.float64)
        exact = terms.sum(0, keepdim=True)
        error, final = (float((v.to(torch.float64).reshape(1, -1) - exact).square().mean()) for v in (way(x), exact.to(dtype)))
        size = float((length * (exact.square() / 3 + terms.square().sum(0, keepdim=True) / 2)).mean())
        kept = math.nan if math.isnan(error) else math.sqrt(max(0.0, error - final) / size)
        points.append((math.log(length), math.log(max(error, final, 1e-300) / max(final, 1e-300)) / 2))
        if stuck is None and bool((way(torch.ones_like(x)) != length).any()):
            stuck = length
    centre = sum(p[0] for p in points) / len(points)
    slope = sum((a - centre) * b for a, b in points) / sum((a - centre) ** 2 for a, _ in points)
    return Growth(kept, slope, stuck)


@cache
def growth(name: str, dtype: torch.dtype, device: torch.device) -> Growth | None:
    """The sweep of one aten operation, once per process; None for operations not known here."""
    if _crafted(name, torch.ones(2, 2, dtype=dtype, device=device)) is None:
        return None

    def way(x: torch.Tensor) -> torch.Tensor:
        terms = _crafted(name, x)
        assert terms is not None  # the name is known
        return terms

    return sweep(way, dtype, device)
