"""The drift gate: which ratios of a cell left those that are stored for this device."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass

from mpcheck.checks.precision import CellKey
from mpcheck.formats import FLOAT64, Component
from mpcheck.history.ratios import Entry
from mpcheck.judge.scale import rounds
from mpcheck.judge.tolerances import RatioLimits, Tolerances, limits_for
from mpcheck.records.record import Record
from mpcheck.records.tensors import Quantity
from mpcheck.reference.library import BlockReference

SOUND = 0.7 * math.sqrt(2)
"""Ratio of a sound code to a float64 reference that another sound code made: both round to nearest, which is 0.7 each (docs/ratios.md)."""
CHANCE = 2.0
"""Over the root of so many elements: what another order of independent roundings can do to a ratio or a mean."""


@dataclass(frozen=True)
class Drifted:
    """One quantity that left its stored ratio, and how."""

    quantity: str
    text: str


def own_zeros(
    key: CellKey, reference: BlockReference, roundoff: Mapping[Component, float], backend: str, stored: Mapping[str, Entry]
) -> frozenset[str]:
    """Quantities whose stored ratio is no baseline for other code: float64 results of the code that made the float64 reference.

    Where such a ratio was recorded the code was its own reference: it says how reproducible the code is, not how well it
    rounds. So it is of another backend, too, where that has nothing of its own and its ratio was zero: TorchScript computes the same
    module otherwise once it has run it, and other tests may have run it before. A quantity that is computed without rounding (gathered,
    copied, selected) is exact by any code, and stays at its zero.

    Args:
        backend: of the reference. stored: the cell's ratios.
    """
    if key.format != FLOAT64.name:
        return frozenset()
    rounded = [name for name, row in reference.statistics.items() if rounds(row, roundoff)]
    return frozenset(name for name in rounded if key.backend == backend or (name in stored and stored[name][0] == 0.0))


def drifted(cell: Record, stored: Mapping[str, Entry], tolerances: Tolerances, own: frozenset[str] = frozenset()) -> list[Drifted]:
    """Quantities that grew, or whose bias moved, beyond the stored spread and the allowed growth; and those that are gone.

    Args:
        own: see :func:`own_zeros`.
    """
    limits = limits_for(tolerances, cell.subject, cell.backend, cell.format, cell.variant)
    have = {q.name for q in cell.quantities}
    left = [Drifted(name, f"{name}: is gone, and the baseline has it") for name in stored if name not in have]
    for quantity in cell.quantities:
        if quantity.name in stored and quantity.rms is not None and quantity.signed_bias is not None:
            said = _moved(quantity, stored[quantity.name], tolerances, limits, quantity.name in own)
            left += [Drifted(quantity.name, f"{quantity.name}: {text}") for text in said]
    return left


def _moved(quantity: Quantity, entry: Entry, tolerances: Tolerances, limits: RatioLimits, own: bool) -> list[str]:
    rms, bias, rms_spread, bias_spread = entry
    drift, texts = tolerances.drift, []
    assert quantity.rms is not None and quantity.signed_bias is not None  # the caller's condition
    chance = CHANCE / math.sqrt(max(1, math.prod(quantity.shape)))
    before = max(rms, SOUND) if own else rms
    allowed = before * (1 + drift.growth + chance) + drift.spreads * rms_spread + drift.floor
    if quantity.rms > allowed:
        texts.append(f"rms ratio drifted {rms:.3g} -> {quantity.rms:.3g} (allowed {allowed:.3g})")
    room = drift.spreads * bias_spread + drift.floor + max(chance, _scatter(quantity, limits))
    if own and quantity.signed_bias_limit is not None:
        room = max(room, quantity.signed_bias_limit)  # of a code that is its own reference, a bias of zero tells no more than a ratio of zero
    if abs(quantity.signed_bias - bias) > room and abs(quantity.signed_bias) > abs(bias):
        texts.append(f"signed bias drifted {bias:+.3g} -> {quantity.signed_bias:+.3g} (allowed ±{room:.3g})")
    return texts


def _scatter(quantity: Quantity, limits: RatioLimits) -> float:
    """Standard deviation of the signed bias between draws, which its limit was made from: elements that err alike do not average out.

    One of them is room enough for 20 of 34 cells that a benign rewriting moved, and leaves a kernel that truncates red.
    """
    if quantity.signed_bias_limit is None:
        return 0.0
    return max(0.0, quantity.signed_bias_limit - limits.bias_floor) / limits.bias_sigmas
