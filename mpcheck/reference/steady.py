"""Whether float64 values are the same each time that they are computed: what only a first, a second or an out-of-turn call gets wrong is no truth.

A block is called by the capture of the whole model, twice right after it, in the reverse order of the model and with gradients before the
model's own backward pass has run, and again when its reference is made, before the draws and after them, with another block in between.
"""

from __future__ import annotations

import math
from collections.abc import Mapping

import torch

from mpcheck.adapters.execution import Tensors
from mpcheck.formats import Component

UNIT = 2.0**-53
HALF_OF_THE_DIGITS = 2.0**-26
"""Of float64: no other order of the same sums reaches so far, and nothing smaller shows in a narrower format."""
MOST_NOISE = 16.0
"""Noise scales of float64 between two computations: another order of sums shows 2.4 at most (another library's kernels); what is wrong, thousands."""


def _gap(value: torch.Tensor, again: torch.Tensor) -> float:
    """RMS difference; infinite where it is not a number in one of them alone."""
    if value.shape != again.shape:
        return math.inf
    if torch.equal(value, again) or not value.numel():
        return 0.0
    if not torch.equal(value.isnan(), again.isnan()):
        return math.inf
    gap = (again - value).nan_to_num(nan=0.0, posinf=math.inf)
    return _rms(gap)


def _rms(value: torch.Tensor) -> float:
    return float(value.square().mean().sqrt()) if value.numel() else 0.0


def unlike(values: Mapping[str, torch.Tensor], again: Mapping[str, torch.Tensor]) -> str:
    """What differs by more than half of float64's digits of the block's largest quantity of its kind; empty where nothing does.

    Args:
        values: by name, ``out…``, ``grad.…``, ``weight.…``; again: the same from another call, names that it lacks are not compared.
    """
    kinds: dict[str, float] = {}
    for name, value in values.items():
        kind = name.partition(".")[0]
        kinds[kind] = max(kinds.get(kind, 0.0), _rms(value))
    gaps = {n: _gap(v, again[n]) for n, v in values.items() if n in again}
    sizes = {n: kinds[n.partition(".")[0]] for n in gaps}
    worst = {
        n: gap if math.isinf(gap) else gap / (sizes[n] or 1.0) for n, gap in gaps.items() if math.isinf(gap) or gap > HALF_OF_THE_DIGITS * sizes[n]
    }
    if not worst:
        return ""
    name = max(worst, key=lambda n: worst[n])
    return f"{name} differs by {worst[name]:.2g} of its magnitude"


def beyond_noise(values: Mapping[str, torch.Tensor], again: Mapping[str, torch.Tensor], noise: Mapping[str, Mapping[Component, torch.Tensor]]) -> str:
    """What differs by more than roundings of float64 can explain; empty where nothing does.

    Args:
        noise: by quantity and component, RMS deviation per element for u = 1.
    """
    worst: dict[str, float] = {}
    for name, value in values.items():
        if name not in again:
            continue
        gap = _gap(value, again[name])
        square = sum((_rms(s.to(torch.float64)) * UNIT) ** 2 for component, s in noise[name].items() if component != "underflow")
        if gap > MOST_NOISE * math.sqrt(square):
            worst[name] = gap / math.sqrt(square) if square else math.inf
    if not worst:
        return ""
    name = max(worst, key=lambda n: worst[n])
    return f"{name} differs by {worst[name]:.2g} noise scales of float64, and other orders of sums by {MOST_NOISE:g} at most"


def copied(tensors: Mapping[str, torch.Tensor], device: torch.device) -> Tensors:
    """Arguments that a block may write into."""
    return {n: t.detach().to(device, copy=True) for n, t in tensors.items()}
