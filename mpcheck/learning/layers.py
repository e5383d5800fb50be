"""Gradients of a training layer by layer, beside those that float64 has at the same weights on the same structures."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Literal

import torch

from mpcheck.adapters.blocks import leaf_modules
from mpcheck.formats import Format

When = Literal["start", "end"]
NOTHING = 1e-10
"""Of a layer's largest gradient: what is below it in float64 is nought by symmetry but for rounding."""


@dataclass(frozen=True)
class LayerGradient:
    """Of one layer at one time.

    Attributes:
        relative_error: RMS error against float64 by float64's RMS; in_u: the same in unit roundoffs of the regime's narrowest format.
        lost: share of numbers that are zero though float64's are not. below, beyond: share of float64's that, times the loss scale, lie below the
            normal range of that format, or above it. dropped: whether all are zero or there are none, though the format could hold some.
        flows: whether float64 has gradients there.
    """

    layer: str
    when: When
    relative_error: float
    in_u: float
    lost: float
    below: float
    beyond: float
    dropped: bool
    flows: bool = True


def layer_names(model: torch.nn.Module) -> dict[str, str]:
    """By parameter, the block that it belongs to."""
    leaves = [path for path, _ in leaf_modules(model)]
    return {
        name: next((path for path in leaves if name.startswith(f"{path}.")), name.rpartition(".")[0])
        for name, p in model.named_parameters()
        if p.requires_grad and p.numel()
    }


def compared(
    found: Mapping[str, torch.Tensor], exact: Mapping[str, torch.Tensor], names: Mapping[str, str], fmt: Format, scale: float, when: When
) -> list[LayerGradient]:
    """Every layer's gradient beside float64's.

    Args:
        found, exact: by parameter, in float64 and without a scale; what is missing was never computed. names: of layers by parameter.
        fmt: the narrowest of the regime. scale: of the loss while they were computed.
    """
    by_layer: dict[str, list[str]] = {}
    for name in exact:
        if name in names:
            by_layer.setdefault(names[name], []).append(name)
    return [_one(layer, own, found, exact, fmt, scale, when) for layer, own in by_layer.items()]


def _one(
    layer: str, own: list[str], found: Mapping[str, torch.Tensor], exact: Mapping[str, torch.Tensor], fmt: Format, scale: float, when: When
) -> LayerGradient:
    theirs = torch.cat([exact[name].flatten() for name in own]).cpu()
    mine = torch.cat([found[name].flatten() if name in found else torch.zeros(exact[name].numel()) for name in own]).double().cpu()
    size = float(theirs.abs().max())
    real = theirs.abs() > NOTHING * size
    rms = float(theirs.square().mean().sqrt())
    error = float((mine - theirs).square().mean().sqrt()) / rms if rms > 0 else 0.0
    scaled = scale * theirs[real].abs()
    dropped = bool(real.any()) and not bool(mine.any()) and bool((scaled >= fmt.smallest_normal).any())
    return LayerGradient(
        layer, when, error, error / fmt.u, _share(mine[real] == 0), _share(scaled < fmt.smallest_normal), _share(scaled > fmt.largest), dropped,
        bool(real.any()) and size > 0,
    )  # fmt: skip


def _share(which: torch.Tensor) -> float:
    return float(which.double().mean()) if which.numel() else 0.0
