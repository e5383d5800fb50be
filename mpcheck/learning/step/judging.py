"""A step compared with its float64 reference, quantity by quantity: a record for the loss, the gradients, their digest, the optimiser, the update."""

from __future__ import annotations

import math
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

import torch

from mpcheck.adapters.learning.taking import STATES, Taken
from mpcheck.adapters.slots import PLAIN as PLAIN_SLOT
from mpcheck.formats import FLOAT32, FLOAT64, Component, Format
from mpcheck.judge.element_names import ElementNames
from mpcheck.judge.metrics import absent, compare
from mpcheck.judge.scale import Scale, noise_scale
from mpcheck.judge.tolerances import RatioLimits
from mpcheck.learning.step import WARM
from mpcheck.learning.step.digest import projections
from mpcheck.learning.step.names import DIGEST, GRADIENTS, LOSS, OPTIMIZER, STORED, UPDATE
from mpcheck.learning.step.parametrisation import Names
from mpcheck.learning.step.reference import NARROWING, ROUNDING, StepReference
from mpcheck.learning.step.regimes import Regime
from mpcheck.learning.step.whole import AFTER, CHANGE, GRADIENT, Tensors, update_name
from mpcheck.learning.step.whole import DIGEST as DIGESTED
from mpcheck.records import tensors as records
from mpcheck.records.record import Record, of_tensors
from mpcheck.records.tensors import Quantity
from mpcheck.records.verdicts import Verdict

SUBJECTS = (LOSS, GRADIENTS, DIGEST, OPTIMIZER, UPDATE)
SHOWN = 3
"""Quantities that a reason names."""
GRID = math.sqrt(3.0)
"""Of the limit on the RMS ratio of weights that are kept in 16 bits: they lie on the format's grid, and one that moves by less than half of its
spacing stays, so that it errs by its whole change, up to a rounding, where a uniform one's RMS is that over the root of three: measured 1.17."""
MOST_BURIED = 1.0
"""Error of the gradient beside the gradient from which on a step is called noise: a fault as large as the gradient itself would not show."""


@dataclass(frozen=True)
class Found:
    """What a step gave, beside the float64 values of the same, by name and by what it is about.

    Attributes:
        low: of any type. value: float64. scale: name of the noise, which is the reference's own.
    """

    name: str
    low: torch.Tensor | None
    value: torch.Tensor
    scale: str


TABLES = 17.0
"""Units of roundoff by which two implementations' Clebsch-Gordan coefficients are apart in float64, see ``tolerances/limits.yaml``: what another
backend computes in float64 differs from the reference by the tables of both, in every step alike. Where clipping takes the common part of a
gradient's error out, that is what is left (builtin:dense: 25 units of the scale in the moments, 0.1 in the gradient)."""


def roundoff_of(regime: Regime, rearranged: bool) -> dict[Component, float]:
    """Roundoff of each component of a step's noise.

    Args:
        rearranged: the backend computes by other operations and tables than the reference.
    """
    whole = regime.base.roundoff["operation"] * (TABLES if rearranged and regime.base is FLOAT64 else 1.0)
    return {ROUNDING: whole, NARROWING: 1.0 if regime.coarse else 0.0}


def found(taken: Taken, reference: StepReference, names: Names | None, expected: Mapping[str, torch.Tensor]) -> dict[str, list[Found]]:
    """All quantities of a step by what they are about.

    Args:
        names: None where only what needs no state can be compared. expected: the reference's gradients by parameter, those that the backend has.
    """
    values = reference.values
    gradients = names.referred(taken.gradients, expected) if names is not None else dict(taken.gradients)
    by: dict[str, list[Found]] = {LOSS: [Found("loss", taken.loss.reshape(1), values["loss"], "loss")]}
    by[GRADIENTS] = [Found(f"{GRADIENT}{n}", gradients.get(n), g, f"{GRADIENT}{n}") for n, g in expected.items()]
    by[DIGEST] = [
        Found(f"{DIGESTED}{n}", projections(n, gradients[n]), values[f"{DIGESTED}{n}"], f"{DIGESTED}{n}") for n in expected if n in gradients
    ]
    if names is None:
        return by
    kind = names.kind
    states = {s: names.referred(taken.state[s], reference.state[kind][s]) for s in STATES}
    by[OPTIMIZER] = [_of(f"{s}.", n, states[s].get(n), values, update_name(kind, f"{s}.", n)) for s in STATES for n in expected]
    moved = {n: taken.after[n].to(torch.float64) - taken.before[n].to(torch.float64) for n in taken.after}
    changes, after = names.referred(moved, expected), names.referred(taken.after, expected)
    by[UPDATE] = [_of(CHANGE, n, changes.get(n), values, update_name(kind, CHANGE, n)) for n in expected]
    by[UPDATE] += [_of(AFTER, n, after.get(n), values, update_name(kind, AFTER, n)) for n in expected]
    return by


def _of(what: str, parameter: str, low: torch.Tensor | None, values: Tensors, name: str) -> Found:
    return Found(f"{what}{parameter}", low, values[name], name)


def compared(one: Found, reference: StepReference, roundoff: Mapping[Component, float], base: Format, limits: RatioLimits) -> Quantity:
    """One quantity by its noise scale."""
    if one.low is None:
        return absent(one.name, one.value)
    scale = _scale(one, reference, roundoff, base)
    layout = ElementNames(PLAIN_SLOT, [], "weight", flat=one.value.dim() == 1 and one.value.numel() > 1)
    return compare(one.name, one.low.to(one.value.device), one.value, scale, base, limits, layout)


def _scale(one: Found, reference: StepReference, roundoff: Mapping[Component, float], base: Format) -> Scale:
    scale = noise_scale({str(c): t for c, t in reference.noise[one.scale].items()}, reference.statistics[one.scale], roundoff, one.value)
    for emulated in (reference.single if base is FLOAT32 else {}, reference.rounded):  # no sound arithmetic does better than rounding once
        if one.scale in emulated:
            scale = scale.holding(emulated[one.scale] - one.value, one.value)
    return scale


def judged(
    by: Mapping[str, Sequence[Found]], reference: StepReference, regime: Regime, roundoff: Mapping[Component, float], limits: RatioLimits,
    blocks: Sequence[str], about: Mapping[str, Any],
) -> Iterator[Record]:  # fmt: skip
    """A record for each thing that a step is judged by.

    Args:
        blocks: names of the model's blocks. about: fields of the records, but for their subject.
    """
    buried = drowned([f for f in by[GRADIENTS] if f.scale not in reference.lost], reference, roundoff, regime.base)
    for subject, every in by.items():
        named = {**about, "subject": subject}
        if lost := [f.name for f in every if f.scale in reference.lost]:
            reason = f"range: sound arithmetic in {regime.format.name} makes no numbers of {_listed(lost)}"
            yield Record(**named, verdict="unsupported", reason=reason)
            continue
        own = replace(limits, rms=GRID * limits.rms) if subject == UPDATE and regime.kind == STORED else limits
        quantities = [compared(one, reference, roundoff, regime.base, own) for one in every]
        failed = [q for q in quantities if q.failures]
        verdict: Verdict = "fail" if failed else "inconclusive" if buried > MOST_BURIED else "pass"
        more = f"; and {len(failed) - SHOWN} more of {len(quantities)}" if len(failed) > SHOWN else ""
        reason = "; ".join(f"{q.name}: {q.failures[0]}" for q in failed[:SHOWN]) + more
        if verdict == "inconclusive":
            reason = f"rounding alone is {buried:.2g} times the gradient by {regime.name} on this structure: its step shows nothing"
        yield of_tensors(
            quantities, records.Tensors(accumulation=regime.format.accumulation), **named, verdict=verdict, reason=reason,
            block=blamed([q.name for q in failed], blocks),
        )  # fmt: skip


def blamed(names: Sequence[str], blocks: Sequence[str]) -> str:
    """The block that quantities are of; empty where they are of several."""
    own = {block_of(name, blocks) for name in names}
    return own.pop() if len(own) == 1 else ""


def block_of(quantity: str, blocks: Sequence[str]) -> str:
    """The innermost block with a quantity's parameter; empty where it is of none."""
    return max((b for b in blocks if f".{b}." in f".{quantity.replace(':', '.')}"), key=len, default="")


def counted(taken: Taken) -> list[str]:
    """Parameters whose counter of steps is not one more than before."""
    return [n for n, steps in taken.steps.items() if steps != WARM + 1]


def drowned(by: Sequence[Found], reference: StepReference, roundoff: Mapping[Component, float], base: Format) -> float:
    """How large sound arithmetic's error of the gradient by all parameters is beside it: above one the step is of rounding, and shows nothing."""
    noise = value = 0.0
    for one in by:
        noise += float(_scale(one, reference, roundoff, base).s.square().sum())
        value += float(one.value.square().sum())
    return math.sqrt(noise / value) if value > 0 else math.inf if noise > 0 else 0.0


def turned(by: Sequence[Found]) -> float:
    """Degrees between the gradient by all parameters and float64's; NaN where either is zero or no number."""
    there = [f for f in by if f.low is not None]
    low = torch.cat([f.low.to(f.value).reshape(-1) for f in there if f.low is not None])
    value = torch.cat([f.value.reshape(-1) for f in there])
    # by the difference of unit vectors: an arc cosine loses half of the digits near zero
    gap = float((low / low.norm() - value / value.norm()).norm())
    return math.degrees(2 * math.asin(min(1.0, gap / 2))) if gap == gap else math.nan


def unmoved(taken: Taken, by: Sequence[Found]) -> float:
    """Share of the weights that the float64 step moves and this one did not."""
    changes = [(f.low, f.value) for f in by if f.name.startswith(CHANGE) and f.low is not None]
    meant = sum(int((value != 0).sum()) for _, value in changes)
    still = sum(int(((value != 0) & (low == 0)).sum()) for low, value in changes)
    return still / meant if meant else 0.0


def _listed(names: Sequence[str]) -> str:
    return ", ".join(names[:SHOWN]) + (f" and {len(names) - SHOWN} more" if len(names) > SHOWN else "")
