"""Every row of a tensor judged by its noise: all of them together, and the single one that errs most beside it.

A row's noise is told first by rows of a sample whose values are of its size. It is no smaller than that where the row is judged, so that only
rows that err much beside it need be looked at: these few have their own noise drawn, and are judged by the larger of both.
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass

import torch

from mpcheck.formats import Component
from mpcheck.judge.metrics import UNDERFLOW_SHARE, UNDERFLOW_WIDENING, widened
from mpcheck.judge.row_noise import Groups
from mpcheck.judge.scale import Scale

MOST = 7.0
"""Of a row's RMS error beside its noise, times what a cell's own limit is of 1. Sound: half of it at most, which is where
a row's own noise is drawn, in 1,082 cells of three models on two backends in five formats."""
ALIKE = 64
"""Rows of a sample with values of a row's size that tell its noise; of a small sample an eighth of it, and 8 at least."""
FLOOR = 1e-4
"""Of the mean square noise of all rows, added to a row's: what is a hundredth of the others' noise is not looked at."""
SUSPECT = 0.5
"""Of what is allowed of a row, from which on its own noise is drawn."""
LOOKED_AT = 512
"""Rows whose own noise is drawn at most: those that err most."""


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


def told_by(squares: torch.Tensor, sizes: torch.Tensor, own: torch.Tensor) -> torch.Tensor:
    """Mean squares of rows as those of a sample with sizes like theirs have them, and in proportion of larger rows than any of these.

    Args:
        squares, sizes: of the sample, [rows]. own: sizes of the rows that are asked for, [n].
    """
    order = torch.argsort(sizes)
    ranked, asked = sizes[order].contiguous(), own.contiguous()
    reach = min(ALIKE, max(8, len(order) // 8)) // 2
    place = (torch.searchsorted(ranked, asked) + torch.searchsorted(ranked, asked, right=True)) // 2
    place = place.clamp(min=min(reach, len(order)), max=max(0, len(order) - reach))
    first, last = (place - reach).clamp(min=0), (place + reach).clamp(max=len(order))
    mean, size = (_means(values, first, last) for values in (squares[order], ranked))
    return mean * (own / size).nan_to_num(nan=1.0, posinf=1.0).clamp(min=1.0)


def _means(values: torch.Tensor, first: torch.Tensor, last: torch.Tensor) -> torch.Tensor:
    sums = torch.cat([values.new_zeros(1), values.cumsum(0)])
    return (sums[last] - sums[first]) / (last - first).clamp(min=1)


class Rows:
    """Rows of one result in one format: errors, and what is allowed of them."""

    def __init__(self, errors: torch.Tensor, noise: torch.Tensor, groups: Groups, scale: Scale, limit: float) -> None:
        """Args:
        errors, noise: mean squares of the error and of the noise that a sample tells, [rows, groups]; 0 errors of rows that are not judged.
        groups: see :func:`mpcheck.judge.row_noise.row_means`. scale: of the same quantity on a sample. limit: on the RMS ratio of a cell.
        """
        self.errors, self.noise = errors.nan_to_num(nan=math.inf, posinf=math.inf), noise
        self.names = [name for name, _ in groups] if len(groups) > 1 else [""]
        gross = _gross(scale, groups)
        self.limits = [own * wide for own, wide in zip(_limits(scale, groups, limit), gross, strict=True)]
        self.most = errors.new_tensor([MOST * limit * wide for wide in gross])
        self.floor = FLOOR * noise.mean(0)

    def together(self) -> RowFinding:
        """All rows: the group that comes closest to its limit."""
        found = []
        for number, name in enumerate(self.names):
            error, noise = float(self.errors[:, number].mean()), float(self.noise[:, number].mean())
            ratio = 0.0 if error == 0.0 else math.sqrt(error / noise) if noise > 0 else math.inf
            found.append(RowFinding(ratio, self.limits[number], None, name))
        return max(found, key=lambda finding: finding.share)

    def _ratios(self, errors: torch.Tensor, noise: torch.Tensor) -> torch.Tensor:
        ratios = errors / (noise + self.floor)
        return torch.where(errors == 0, torch.zeros_like(ratios), ratios).nan_to_num(nan=math.inf, posinf=math.inf).sqrt()

    def suspects(self) -> torch.Tensor:
        """Numbers of the rows that err much beside what a sample tells, sorted: no others can be wrong."""
        worst = (self._ratios(self.errors, self.noise) / self.most).amax(1)
        rows = torch.nonzero(worst > SUSPECT).flatten()
        if len(rows) > LOOKED_AT:
            rows = rows[torch.topk(worst[rows], LOOKED_AT).indices]
        return rows.sort().values

    def alone(self, rows: torch.Tensor, drawn: torch.Tensor | None) -> RowFinding:
        """The single row that comes closest to its limit.

        Args:
            rows: that are suspect. drawn: their own noise, [rows, groups]; None of none.
        """
        noise = self.noise.clone()
        if drawn is not None:
            noise[rows] = torch.maximum(noise[rows], drawn)
        ratios = self._ratios(self.errors, noise)
        if drawn is not None:  # of more than were looked at, those alone are known
            unknown = torch.ones(len(ratios), dtype=torch.bool, device=ratios.device)
            unknown[rows] = False
            ratios = torch.where(unknown[:, None], torch.minimum(ratios, self.most), ratios)
        shares = ratios / self.most
        row, group = divmod(int(shares.argmax()), shares.shape[1])
        return RowFinding(float(ratios[row, group]), float(self.most[group]), row, self.names[group], int((shares > 1).any(1).sum()))


def _gross(scale: Scale, groups: Groups) -> list[float]:
    """How much wider each group's limits are where it, or all, lies below the format's normal range."""
    shares = [part.underflow for part in scale.parts] if len(groups) > 1 and len(scale.parts) == len(groups) else [0.0] * max(1, len(groups))
    return [UNDERFLOW_WIDENING if max(share, scale.underflow) > UNDERFLOW_SHARE else 1.0 for share in shares]


def _limits(scale: Scale, groups: Groups, limit: float) -> list[float]:
    """On the RMS ratio of each group, as :func:`mpcheck.judge.metrics.compare` has them of a sample."""
    if len(groups) < 2:
        return [widened(limit, scale.spread)]
    sizes = [where.stop - where.start for _, where in groups]
    few = [0.9 / math.sqrt(max(1.0, scale.distinct * size / sum(sizes))) for size in sizes]
    told = [part.spread for part in scale.parts] if len(scale.parts) == len(groups) else [0.0] * len(groups)
    return [widened(limit, max(scale.spread, *spreads)) for spreads in zip(few, told, strict=True)]


def combined(
    noise: Mapping[Component, torch.Tensor], roundoff: Mapping[Component, float], held: torch.Tensor, underflow: torch.Tensor
) -> torch.Tensor:
    """Mean square noise in one format, [rows, groups].

    Args:
        noise: by component for u = 1, [rows, groups]. held: what emulated roundings of a sample are beyond its noise, [groups].
        underflow: mean square absolute error of every row, [groups]. Measured without it: float16 rows far smaller than others, of a model of
            128 channels, at 54 times their noise.
    """
    total = underflow.new_zeros(next(iter(noise.values())).shape)
    for component, squares in noise.items():
        total.add_(squares.to(total), alpha=roundoff.get(component, 0.0) ** 2)
    return total.mul_(held.to(total)).add_(underflow)
