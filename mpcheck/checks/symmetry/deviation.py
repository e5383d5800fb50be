"""How far two sides of an equation of symmetry are apart, in units of their roundings, and what a spectrum of samples says."""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from statistics import median
from typing import Any

import torch

from mpcheck._unsupported import Unsupported
from mpcheck.adapters.facts.rotation import mixed, roundings
from mpcheck.adapters.slots import Slot
from mpcheck.checks.symmetry.group import Element
from mpcheck.checks.symmetry.sampling import EFFORT, simplest
from mpcheck.formats import FLOAT64, Component
from mpcheck.judge.compared import Compared
from mpcheck.judge.metrics import UNDERFLOW_SHARE, UNDERFLOW_WIDENING, widened
from mpcheck.judge.refusing import refused
from mpcheck.judge.scale import Scale, noise_scale
from mpcheck.judge.tolerances import RatioLimits
from mpcheck.records.detail import figures
from mpcheck.records.record import Record
from mpcheck.records.tensors import finite

U64 = FLOAT64.u


@dataclass(frozen=True)
class Deviation(Compared):
    """The error of one irrep of one output under one element, in units of its noise scale."""

    element: Element
    irrep: str
    ratio: float
    limit: float


@dataclass(frozen=True)
class Noise:
    """What the roundings of ``f(x)`` and ``f(g x)`` allow for one output: variances per element.

    Attributes:
        square: of one evaluation in the format; stored: the part of what the block is given, at float64's roundoff.
        tables: what upstream's own errors in the coupling tables do, squared; a finding of their own judges those.
        scale: statistics of the format's scale.
    """

    square: torch.Tensor
    stored: torch.Tensor
    tables: torch.Tensor
    scale: Scale

    def turned(self, value: torch.Tensor, slot: Slot, l_inputs: int) -> torch.Tensor:
        """Of both sides under a rotation. Arguments ``D x`` round as :func:`roundings` tells, and so does ``D f(x)``.

        The tables' errors are the same on both sides, not independent: at worst they add up, which is 4 times their square.
        """
        own = U64 * U64 / 3 * roundings(value, slot) * mixed(value.square(), slot)
        return mixed(2 * self.square + 4 * self.tables, slot) + (l_inputs + 3.0) * mixed(self.stored, slot) + own


def noise_of(
    noise: Mapping[str, torch.Tensor], statistics: Mapping[str, Any], roundoff: Mapping[Component, float], value: torch.Tensor, tables: torch.Tensor
) -> Noise:
    """Combine a quantity's noise components in a format; ``tables`` is what exact coupling tables change, squared."""
    scale = noise_scale(noise, statistics, roundoff, value)
    stored = noise.get("stored")
    given = torch.zeros_like(value) if stored is None else (stored.to(value.dtype) * U64).square()
    return Noise(scale.s.square(), given, tables, scale)


def deviations(
    element: Element,
    name: str,
    error: torch.Tensor,
    square: torch.Tensor,
    slot: Slot,
    scale: Scale,
    limits: RatioLimits,
    spread: float = 0.0,
    kinds: Sequence[int] = (),
) -> list[Deviation]:
    """RMS error over RMS noise of every irrep of one output.

    ``spread`` is of the noise between draws; ``kinds`` are the numbers of different magnitudes in each irrep, a share of the output's where empty.
    """
    rows = []
    flushed = UNDERFLOW_WIDENING if scale.underflow > UNDERFLOW_SHARE else 1.0
    for place, (irrep, where) in enumerate(slot.groups(tuple(error.shape)) or [("", slice(None))]):
        part = error[..., where] if error.ndim else error
        if not part.numel():
            continue
        own = square[..., where] if error.ndim else square
        e, s = float(part.square().mean().sqrt()), float(own.mean().sqrt())
        ratio = 0.0 if e == 0 else (e / s if s > 0 else math.inf)
        # equal numbers round alike: they are one piece of evidence, as in the precision check's groups
        distinct = float(kinds[place]) if kinds else max(1.0, scale.distinct * part.numel() / error.numel())
        # the arguments of a row round once for all of its channels; where few rows hold most of the noise, as those of the edges that the
        # envelope leaves, they alone decide the ratio
        rows_of = own.reshape(own.shape[0], -1).sum(1) if own.ndim else own.reshape(1)
        if (square_of_rows := float(rows_of.square().sum())) > 0:
            distinct = max(1.0, min(distinct, float(rows_of.sum()) ** 2 / square_of_rows))
        limit = flushed * widened(limits.rms, max(scale.spread, spread, 0.9 / math.sqrt(distinct)))
        rows.append(Deviation(element, f"{name} {irrep}".strip(), ratio, limit))
    return rows


def moments(squares: list[torch.Tensor]) -> tuple[torch.Tensor, float]:
    """Mean of squared draws per element, and the relative standard deviation of their mean over the tensor."""
    stacked = torch.stack(squares)
    means = stacked.flatten(1).mean(1)
    total = float(means.mean())
    return stacked.mean(0), float(means.std()) / total if total > 0 else 0.0


def summary(
    base: dict[str, Any],
    every: list[list[Deviation]],
    again: Callable[[Element], list[Deviation]],
    seconds: float,
    note: str = "",
    effort: int = EFFORT,
) -> Record:
    """One finding of a spectrum of samples: the worst irrep, maximum and median by kind; a failure names its simplest element.

    Args:
        every: deviations of each sample; again: compares under another element, for shrinking.
        note: what a reader must know of a pass; effort: comparisons that shrinking may take.
    """
    if not every:
        return refused(base, Unsupported("not-applicable", "no symmetry acts on its arguments"))
    worst = max((d for sample in every for d in sample), key=lambda d: d.share)
    metrics: dict[str, Any] = {"samples": len(every), "worst_irrep": worst.irrep}
    for kind in dict.fromkeys(sample[0].element.kind for sample in every):
        ratios = [max(d.ratio if math.isfinite(d.ratio) else math.inf for d in s) for s in every if s[0].element.kind == kind]
        metrics[f"{kind}_max"] = finite(max(ratios))
        metrics[f"{kind}_median"] = finite(median(ratios))
    reason, failing = note, sorted({d.irrep for sample in every for d in sample if d.fails})
    if failing:
        shown = max(again(simplest(worst.element, lambda e: any(d.fails for d in again(e)), effort)), key=lambda d: d.share)
        text = "NaN or infinite" if not math.isfinite(shown.ratio) else f"rms ratio {shown.ratio:.3g} > {shown.limit:.3g}"
        shown = max(shown, worst, key=lambda d: d.fails)
        reason = f"{shown.irrep} does not follow {shown.element.text}: {text}"
        metrics["failing"] = failing
    return Record(
        **base, verdict="fail" if failing else "pass", reason=reason, ratio=finite(worst.ratio), limit=finite(worst.limit),
        detail=figures(metrics), worst=f"{worst.irrep}, {worst.element.text}", seconds=round(seconds, 4),
    )  # fmt: skip
