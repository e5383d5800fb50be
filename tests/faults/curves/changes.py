"""Wrong arithmetic as functions of one tensor, differentiable, exact at magnitude 0: computed in float64, stored once in the tensor's type."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import torch

Change = Callable[[torch.Tensor], torch.Tensor]


def scaled(x: torch.Tensor, factor: torch.Tensor) -> torch.Tensor:
    """``x * factor`` with one rounding to the type of ``x``; ``factor`` in float64, of a shape that broadcasts."""
    return (x.double() * factor).to(x.dtype)


def columns(x: torch.Tensor, where: slice, magnitude: float) -> torch.Tensor:
    """Some columns of the last axis scaled by 1 + magnitude."""
    factor = torch.ones(x.shape[-1], dtype=torch.float64)
    factor[where] += magnitude
    return scaled(x, factor)


def row(x: torch.Tensor, index: int, magnitude: float) -> torch.Tensor:
    """One row (atom, edge) scaled by 1 + magnitude."""
    factor = torch.ones(x.shape[0], *[1] * (x.dim() - 1), dtype=torch.float64)
    factor[index % x.shape[0]] += magnitude
    return scaled(x, factor)


def element(x: torch.Tensor, seed: int, magnitude: float) -> torch.Tensor:
    """One element scaled by 1 + magnitude; of the eighth that is nearest to the root mean square of those that are not 0, one by chance."""
    flat = x.detach().double().reshape(-1)
    size = (flat.square().sum() / (flat != 0).sum().clamp(min=1)).sqrt()
    near = torch.argsort((flat.abs() - size).abs(), stable=True)[: max(1, int((flat != 0).sum()) // 8)]
    factor = torch.ones_like(flat)
    factor[near[seed % near.numel()]] += magnitude
    return scaled(x, factor.reshape(x.shape))


def biased(x: torch.Tensor, magnitude: float) -> torch.Tensor:
    """The same amount added everywhere: magnitude times the root mean square."""
    return (x.double() + magnitude * x.detach().double().square().mean().sqrt()).to(x.dtype)


def jittered(x: torch.Tensor, seed: int, magnitude: float) -> torch.Tensor:
    """Every element scaled by 1 + magnitude times a number of [-1, 1]: coarser rounding than the format's."""
    generator = torch.Generator().manual_seed(seed)
    return scaled(x, 1 + magnitude * (2 * torch.rand(x.shape, dtype=torch.float64, generator=generator) - 1))


def turned(x: torch.Tensor, first: torch.Tensor, second: torch.Tensor, magnitude: float) -> torch.Tensor:
    """Columns ``first`` and ``second`` (indices of the last axis) rotated into each other by an angle in rad."""
    angle = torch.tensor(magnitude, dtype=torch.float64)
    a, b = x[..., first].double(), x[..., second].double()
    found = x.clone()
    found[..., first] = (angle.cos() * a - angle.sin() * b).to(x.dtype)
    found[..., second] = (angle.sin() * a + angle.cos() * b).to(x.dtype)
    return found


def shortened(x: torch.Tensor, bits: int, nearest: bool) -> torch.Tensor:
    """``bits`` significant bits left of every element, rounded to nearest even or cut off."""
    mantissa, exponent = torch.frexp(x.double())
    raised = mantissa * 2.0**bits
    kept = torch.round(raised) if nearest else torch.trunc(raised)
    return torch.ldexp(kept, exponent - bits).to(x.dtype)


class _StraightThrough(torch.autograd.Function):
    """A change of the result, whose gradient goes through the same change."""

    @staticmethod
    def forward(ctx: Any, x: torch.Tensor, change: Change) -> torch.Tensor:
        ctx.change = change
        return change(x)

    @staticmethod
    def backward(ctx: Any, grad: torch.Tensor) -> tuple[torch.Tensor, None]:
        return ctx.change(grad), None


class _OfGradient(torch.autograd.Function):
    """The identity, whose gradient is changed."""

    @staticmethod
    def forward(ctx: Any, x: torch.Tensor, change: Change) -> torch.Tensor:
        ctx.change = change
        return x.view_as(x)

    @staticmethod
    def backward(ctx: Any, grad: torch.Tensor) -> tuple[torch.Tensor, None]:
        return ctx.change(grad), None


def both_ways(x: torch.Tensor, change: Change) -> torch.Tensor:
    """A change without a derivative of its own, of the result and of its gradient."""
    through: Callable[..., torch.Tensor] = _StraightThrough.apply
    return through(x, change)


def of_gradient(x: torch.Tensor, change: Change) -> torch.Tensor:
    """The gradient of ``x`` changed, ``x`` itself as it was."""
    identity: Callable[..., torch.Tensor] = _OfGradient.apply
    return identity(x, change)
