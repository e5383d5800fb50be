"""Every row of a tensor judged by its own noise: the row and irrep that errs most beside it, and the mean of all.

A row's noise is known from a few draws, and one row in very many would look wrong because its draws happen to be small. It is therefore
taken to be no smaller than that of rows which have values of its size.
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass

import torch

from mpcheck.formats import Component
from mpcheck.judge.metrics import UNDERFLOW_SHARE, UNDERFLOW_WIDENING, widened
from mpcheck.judge.row_noise import DRAWS, Groups
from mpcheck.judge.scale import Scale

MOST = 7.0
"""Of a row's RMS error beside its noise, times what a cell's own limit is of 1. Sound: MEASURED."""
ALIKE = 64
"""Rows with values of a row's size that its noise is compared with."""
FLOOR = 1e-4
"""Of the mean square noise of all rows, added to a row's: what is a hundredth of the others' noise is not looked at."""
SIGMAS = 3.0
"""Of a mean square that is known from so few draws."""


@dataclass(frozen=True)
class RowFinding:
    """What comes closest to its limit.

    Attributes:
        ratio, limit: RMS error over noise. row: which one; None where it is all of them. group: of the irreps; empty of one alone.
        many: rows beyond the limit.
    """

    ratio: float
    limit: float
    row: int | None
    group: str
    many: int = 0

    @property
    def share(self) -> float:
        """Of what is allowed."""
        return self.ratio / self.limit


def pooled(squares: torch.Tensor, sizes: torch.Tensor) -> torch.Tensor:
    """Mean squares, no smaller than the mean of those with sizes like theirs.

    Args:
        squares: [rows]. sizes: [rows].
    """
    order = torch.argsort(sizes)
    sums = torch.cat([squares.new_zeros(1), squares[order].cumsum(0)])
    place = torch.arange(len(order), device=squares.device)
    first, last = (place - ALIKE // 2).clamp(min=0), (place + ALIKE // 2).clamp(max=len(order))
    alike = torch.empty_like(squares)
    alike[order] = (sums[last] - sums[first]) / (last - first)
    return torch.maximum(squares, alike)


def judge_rows(
    errors: torch.Tensor, noise: torch.Tensor, sizes: torch.Tensor, groups: Groups, scale: Scale, limit: float, usable: torch.Tensor
) -> tuple[RowFinding, RowFinding]:
    """What comes closest to its limit of all rows together, and of single ones.

    Args:
        errors, noise, sizes: mean squares of the error, of the noise and of the values, each [rows, groups].
        groups: see :func:`mpcheck.judge.row_noise.row_means`. scale: of the same quantity on a sample. limit: on the RMS ratio of a cell.
        usable: rows that the format holds, [rows].
    """
    errors, noise = errors[usable].nan_to_num(nan=math.inf, posinf=math.inf), noise[usable]
    total = errors.mean(0), noise.mean(0)
    limits, gross = _limits(scale, groups, limit), _gross(scale, groups)
    places = torch.nonzero(usable).flatten()
    if not len(places):
        return RowFinding(0.0, limits[0], None, ""), RowFinding(0.0, limits[0], None, "")
    every, ones = list[RowFinding](), list[RowFinding]()
    for number, name in enumerate([n for n, _ in groups] if len(groups) > 1 else [""]):
        own, most = limits[number], MOST * limit * gross[number]
        spread = math.sqrt(1 + SIGMAS * scale.spread / math.sqrt(DRAWS))
        every.append(RowFinding(_ratio(float(total[0][number]), float(total[1][number])), own * spread, None, name))
        ratios = errors[:, number] / (pooled(noise[:, number], sizes[usable, number]) + FLOOR * total[1][number])
        ratios = torch.where(errors[:, number] == 0, torch.zeros_like(ratios), ratios).nan_to_num(nan=math.inf, posinf=math.inf).sqrt()
        row = int(ratios.argmax())
        ones.append(RowFinding(float(ratios[row]), most, int(places[row]), name, int((ratios > most).sum())))
    return max(every, key=lambda finding: finding.share), max(ones, key=lambda finding: finding.share)


def _gross(scale: Scale, groups: Groups) -> list[float]:
    """How much wider each group's limits are where it, or all, lies below the format's normal range."""
    shares = [part.underflow for part in scale.parts] if len(groups) > 1 and len(scale.parts) == len(groups) else [0.0] * max(1, len(groups))
    return [UNDERFLOW_WIDENING if max(share, scale.underflow) > UNDERFLOW_SHARE else 1.0 for share in shares]


def _limits(scale: Scale, groups: Groups, limit: float) -> list[float]:
    """On the RMS ratio of each group, as :func:`mpcheck.judge.metrics.compare` has them of a sample."""
    gross = _gross(scale, groups)
    if len(groups) < 2:
        return [widened(limit, scale.spread) * gross[0]]
    sizes = [where.stop - where.start for _, where in groups]
    few = [0.9 / math.sqrt(max(1.0, scale.distinct * size / sum(sizes))) for size in sizes]
    told = [part.spread for part in scale.parts] if len(scale.parts) == len(groups) else [0.0] * len(groups)
    return [widened(limit, max(scale.spread, *spreads)) * wide for *spreads, wide in zip(few, told, gross, strict=True)]


def _ratio(error: float, noise: float) -> float:
    if error == 0.0:
        return 0.0
    return math.sqrt(error / noise) if noise > 0 else math.inf


def combined(
    noise: Mapping[Component, torch.Tensor], roundoff: Mapping[Component, float], held: torch.Tensor, underflow: torch.Tensor
) -> torch.Tensor:
    """Mean square noise in one format, [rows, groups].

    Args:
        noise: by component for u = 1, [rows, groups]. held: what emulated roundings of a sample are beyond its noise, [groups].
        underflow: mean square absolute error of every row, [groups]. Measured without it: float16 rows far smaller than others, of a model of
            128 channels, at 54 times their noise.
    """
    total = underflow.new_zeros(next(iter(noise.values())).shape) if noise else underflow.new_zeros(1, len(underflow))
    for component, squares in noise.items():
        total.add_(squares.to(total), alpha=roundoff.get(component, 0.0) ** 2)
    return total.mul_(held.to(total)).add_(underflow)
