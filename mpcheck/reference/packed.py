"""What references keep, in as few bytes as it needs.

Noise scales are known to a few per cent, from a few draws: 8 significant bits are enough where there are many of them. Values on rounded
arguments are kept as how far they lie from the exact ones, to which 24 bits of that distance are added. What an emulation gives are numbers
of its format.
"""

from __future__ import annotations

from collections.abc import Mapping

import torch

MANY = 2**12
"""Noise scales of a tensor with so many numbers are kept in 8 bits each: their root mean square moves by 3e-5 at most, one of them by 0.2 %."""
ROUNDED, EMULATED, MOVED_BY = "rounded", "emulated", "moved"

Tensors = Mapping[str, torch.Tensor]


def packed_noise(noise: torch.Tensor) -> torch.Tensor:
    """A noise scale as it is kept: float32, or bfloat16, which has its range."""
    return noise.to(torch.bfloat16) if noise.numel() > MANY else noise


def unpacked_noise(noise: torch.Tensor) -> torch.Tensor:
    """As it is used: float32."""
    return noise.to(torch.float32)


def packed_values(made: Mapping[str, Tensors], exact: Tensors, dtype: torch.dtype) -> dict[str, torch.Tensor]:
    """Float64 values of a block in a format as they are kept, by ``KIND:QUANTITY``.

    Args:
        made: by kind, ``rounded`` and ``emulated``, then by quantity. exact: the block's float64 values. dtype: the format's.
    """
    kept = {f"{EMULATED}:{n}": _narrow(t, dtype) for n, t in made[EMULATED].items()}
    for name, value in made[ROUNDED].items():
        distance = value - exact[name] if name in exact and exact[name].shape == value.shape else None
        if distance is None or not bool(distance.isfinite().all()):
            kept[f"{ROUNDED}:{name}"] = value
        else:
            kept[f"{MOVED_BY}:{name}"] = distance.to(torch.float32)
    return kept


def _narrow(value: torch.Tensor, dtype: torch.dtype) -> torch.Tensor:
    """In the format where that loses nothing."""
    narrow = value.to(dtype)
    same = (narrow.to(value.dtype) == value) | value.isnan()
    return narrow if bool(same.all()) else value


def unpacked_values(kept: Tensors, exact: Tensors) -> dict[str, dict[str, torch.Tensor]]:
    """The inverse of :func:`packed_values`, on the device of the exact values."""
    made: dict[str, dict[str, torch.Tensor]] = {ROUNDED: {}, EMULATED: {}}
    for key, tensor in kept.items():
        kind, _, name = key.partition(":")
        wide = tensor.to(device=exact[name].device if name in exact else None, dtype=torch.float64)
        made[ROUNDED if kind == MOVED_BY else kind][name] = exact[name] + wide if kind == MOVED_BY else wide
    return made
