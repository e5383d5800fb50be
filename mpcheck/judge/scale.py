"""From noise components to the scale that a format's error is measured in, and to how well that scale is known."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

import torch
from scipy import special

from mpcheck.formats import Component

UNIFORM_SPREAD = 2 / math.sqrt(5)  # relative standard deviation of xi^2, xi uniform: one independent rounding
BEYOND_CHANCE = 3.0  # standard deviations: a mean of the emulated errors that is smaller says nothing of a bias
MOST_FREEDOM = 1e3  # beyond it Student's t is normal


@dataclass(frozen=True)
class PartScale:
    """How well the scale of one part of a tensor is known: ``spread`` and ``underflow`` as in :class:`Scale`."""

    spread: float
    underflow: float


@dataclass(frozen=True)
class Scale:
    """The noise scale of one quantity in one format.

    Attributes:
        s: RMS of the rounding error expected of every element; s^2 = sum over components of u^2 s_c^2.
        rms: RMS of ``s`` over the tensor.
        spread: relative standard deviation of the mean square error between draws: large where few independent roundings
            decide the whole tensor.
        bias, signed_bias: standard deviation of the mean error, plain and times the value's sign, in units of ``rms``.
        underflow: share of ``s^2`` that comes from values below the format's normal range.
        distinct: number of different magnitudes in the tensor.
        freedom: degrees of freedom of one element's ``s^2``: how many draws, of all components that matter, it is the mean of.
        parts: spread and underflow of each part that is judged apart, in the order of its reference's parts.
    """

    s: torch.Tensor
    rms: float
    spread: float
    bias: float
    signed_bias: float
    underflow: float
    distinct: int
    freedom: float
    parts: tuple[PartScale, ...] = ()

    def holding(self, error: torch.Tensor, value: torch.Tensor, parts: Sequence[Any] = (...,)) -> Scale:
        """The scale, no smaller than an error that sound arithmetic is known to have.

        Numbers that differ by less than a format's spacing, as those of all but perfect crystals, round alike, and their errors add up.
        Monte Carlo draws serve all formats, and take such numbers for different ones. What the format makes of them is therefore
        emulated, which no sound arithmetic does better than. Where a group's emulated error is within the scale, as it is wherever
        numbers differ, nothing changes.

        Args:
            error: of the emulation; elements that are not finite say nothing.
            value: what the errors are of.
            parts: indices of the groups that are judged apart.
        """
        error = error.nan_to_num(nan=0.0, posinf=0.0, neginf=0.0)
        s = self.s.clone()
        for part in parts:
            known, own = float(error[part].square().mean().sqrt()), float(s[part].square().mean().sqrt())
            if known > own > 0:
                s[part] *= known / own
        rms = float(s.square().mean().sqrt())
        if not rms:
            return self
        biases = [abs(float(e.mean())) / rms / BEYOND_CHANCE for e in (error, error * value.sign())]
        return replace(self, s=s, rms=rms, bias=max(self.bias, biases[0]), signed_bias=max(self.signed_bias, biases[1]))

    def stretch(self, elements: int) -> float:
        """How much farther than a normal deviate the largest of n errors may lie, because its scale is known from few draws.

        An error over an estimated scale follows Student's t distribution: the ratio of its quantile at 0.05 / n to the normal
        one. Measured without it: two of 29,360 clean cells just beyond the limit, both at one of 1,498 elements.
        """
        chance = 0.05 / max(2, elements)
        return float(special.stdtrit(self.freedom, chance) / special.ndtri(chance))


def noise_scale(noise: Mapping[str, torch.Tensor], statistics: Mapping[str, Any], roundoff: Mapping[Component, float], value: torch.Tensor) -> Scale:
    """Combine components in quadrature.

    Args:
        noise: RMS deviation per element for u = 1, by component.
        statistics: per-draw statistics, see :class:`mpcheck.reference.moments.Moments`.
        roundoff: unit roundoff by component.
        value: the float64 value.
    """
    square = torch.zeros_like(value)
    absolute = math.hypot(roundoff.get("underflow", 0.0), roundoff.get("flush", 0.0) * statistics["terms"])
    roundoff = {**roundoff, "underflow": absolute}
    for component, scale in noise.items():
        u = roundoff.get(component, 0.0)  # type: ignore[call-overload]
        if u:
            wide = scale.to(value.dtype)
            square.addcmul_(wide, wide, value=u * u)
    result = roundoff.get("result", 0.0)
    if result:
        square.addcmul_(value, value, value=result * result)
    rms = math.sqrt(float(square.mean())) if square.numel() else 0.0
    s = square.sqrt_()
    distinct = max(1, int(statistics["distinct"]))
    total = bias = signed = scatter = 0.0
    for component, row in statistics["components"].items():
        u2 = roundoff.get(component, 0.0) ** 2
        share = u2 * row["mean_square"]
        total += share
        scatter += share**2 / max(1, row["draws"])
        bias += u2 * row["bias"] ** 2
        signed += u2 * row["signed_bias"] ** 2
    if result and value.numel():  # of equal values, and of all that share a factor, it is the same: nothing averages out
        own = result**2 * float(value.square().mean())
        total, bias, signed = total + own, bias + own, signed + own
    parts = tuple(_part(rows, roundoff) for rows in statistics.get("parts", ()))
    if total <= 0.0:
        return Scale(s, rms, UNIFORM_SPREAD, 1.0, 1.0, 0.0, distinct, MOST_FREEDOM, parts)
    independent = 1 / math.sqrt(distinct)
    whole = _part(statistics["components"], roundoff, independent)
    return Scale(
        s,
        rms,
        whole.spread,
        max(math.sqrt(bias / total), independent),
        max(math.sqrt(signed / total), independent),
        whole.underflow,
        distinct,
        min(MOST_FREEDOM, total**2 / scatter) if scatter else MOST_FREEDOM,  # Welch-Satterthwaite
        parts,
    )


def _part(components: Mapping[str, Mapping[str, float]], roundoff: Mapping[Component, float], least: float = 0.0) -> PartScale:
    """Spread and underflow of a tensor or of a part of it, from its components' statistics.

    Draws know the spread from a handful of values. What decides it is known better: equal numbers err alike, and where few magnitudes
    have most of the mean square error, it scatters as one rounding of each would. ``least`` is a concentration that is known otherwise.
    """
    total = variance = underflow = concentration = 0.0
    for component, row in components.items():
        share = roundoff.get(component, 0.0) ** 2 * row["mean_square"]  # type: ignore[call-overload]
        total += share
        variance += (share * row["spread"]) ** 2
        concentration += share * row["concentration"]
        underflow += share if component == "underflow" else 0.0
    if total <= 0.0:
        return PartScale(UNIFORM_SPREAD, 0.0)
    floor = UNIFORM_SPREAD * max(concentration / total, least)
    return PartScale(max(math.sqrt(variance) / total, floor), underflow / total)


def rounds(statistics: Mapping[str, Any], roundoff: Mapping[Component, float]) -> bool:
    """Whether computing a quantity rounds anything, once its arguments are stored: not where it is gathered, copied or selected."""
    rows = statistics["components"].items()
    return any(c not in ("stored", "underflow") and row["mean_square"] > 0 and roundoff.get(c, 0.0) > 0 for c, row in rows)
