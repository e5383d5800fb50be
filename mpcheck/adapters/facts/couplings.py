"""Clebsch-Gordan coefficients correct to the last bit, and how far upstream's float64 tables are from them.

The squares of e3nn's real coefficients are rational numbers with small denominators, which fifteen digits identify without
doubt; their square roots follow to any accuracy.
"""

from __future__ import annotations

from dataclasses import dataclass
from decimal import Decimal, localcontext
from fractions import Fraction
from functools import lru_cache

import torch

from mpcheck.adapters.upstream import o3

DIGITS = 40
U64 = 2.0**-53
_DENOMINATOR = 100_000  # of a squared coefficient; up to l = 4 they stay below
_IDENTIFIED = 1e-12  # tables are good to 1e-14; two fractions of these denominators are 1e-10 apart
_ZERO = 1e-9  # far below any coefficient, far above what stands for zero


@dataclass(frozen=True)
class Coupling:
    """``l1 x l2 -> l3``: e3nn's table [2*l1+1, 2*l2+1, 2*l3+1], the exact one, and its non-zero entries in forty digits."""

    upstream: torch.Tensor
    table: torch.Tensor
    entries: tuple[tuple[int, int, int, Decimal], ...]

    @property
    def error(self) -> float:
        """Largest error of an entry of upstream's table, in units of float64's roundoff of that entry."""
        where = self.table != 0
        return float(((self.upstream - self.table)[where] / self.table[where]).abs().max()) / U64 if bool(where.any()) else 0.0


@lru_cache(maxsize=256)
def coupling(l1: int, l2: int, l3: int) -> Coupling:
    """The exact coefficients of ``o3.wigner_3j(l1, l2, l3)``.

    Raises:
        ValueError: upstream's table holds a number that is not the square root of a fraction.
    """
    upstream = o3.wigner_3j(l1, l2, l3, dtype=torch.float64)
    exact, entries = torch.zeros_like(upstream), []
    with localcontext() as context:
        context.prec = DIGITS
        for i, j, k in (upstream.abs() > _ZERO).nonzero().tolist():
            c = float(upstream[i, j, k])
            square = Fraction(c * c).limit_denominator(_DENOMINATOR)
            if abs(float(square) - c * c) > _IDENTIFIED:
                raise ValueError(f"wigner_3j({l1}, {l2}, {l3})[{i}, {j}, {k}] = {c!r} is not the square root of a fraction")
            root = (Decimal(square.numerator) / square.denominator).sqrt().copy_sign(Decimal(c))
            exact[i, j, k] = float(root)
            entries.append((i, j, k, root))
    return Coupling(upstream, exact, tuple(entries))


def triangles(highest: int) -> list[tuple[int, int, int]]:
    """Every ``l1 <= l2``, ``l3`` that couple, up to a highest l."""
    every = range(highest + 1)
    return [(a, b, c) for a in every for b in every if a <= b for c in range(b - a, min(a + b, highest) + 1)]


def repaired(tensor: torch.Tensor) -> torch.Tensor:
    """An e3nn coupling table of a module replaced by the exact one; every other tensor as it is."""
    if tensor.ndim != 3 or tensor.dtype != torch.float64 or any(extent % 2 == 0 or extent > 9 for extent in tensor.shape):
        return tensor
    a, b, c = ((extent - 1) // 2 for extent in tensor.shape)
    if not abs(a - b) <= c <= a + b:
        return tensor
    exact = coupling(a, b, c)
    here = exact.table.to(tensor.device)
    return here.clone() if bool((tensor - here).abs().max() < 1e-12) else tensor
