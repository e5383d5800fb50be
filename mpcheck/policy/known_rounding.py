"""The rounding of what is stored, which is known before anything runs: weights by block, and coordinates."""

from __future__ import annotations

from collections.abc import Mapping

import torch

from mpcheck.policy.isolation import Change
from mpcheck.policy.rules import PACKED, Storage

E4M3_LARGEST = 448.0
INT8_LARGEST = 127.0
STORED: tuple[Storage, ...] = ("float32", "bfloat16", "float16", "float8_e4m3fn", "int8")


def rounded(name: str, parameter: torch.Tensor, module: torch.nn.Module, storage: Storage) -> torch.Tensor:
    """A float64 tensor as a storage type keeps it, in float64.

    Args:
        name: of the parameter in its module. module: that it belongs to.
    """
    if not parameter.is_floating_point() or storage == "float64" or not parameter.numel():
        return parameter
    if storage == "float8_e4m3fn":
        return _scaled(parameter, E4M3_LARGEST, lambda t: t.to(torch.float8_e4m3fn).to(t.dtype))
    if storage == "int8":
        return _scaled(parameter, INT8_LARGEST, torch.round)
    return parameter.to(getattr(torch, storage)).to(parameter.dtype)


def _scaled(parameter: torch.Tensor, largest: float, to_grid: Change) -> torch.Tensor:
    """With a power of two for the whole tensor that brings its largest magnitude below ``largest``."""
    peak = float(parameter.abs().max())
    if peak == 0.0:
        return parameter
    exponent = torch.frexp(torch.tensor(largest / peak, dtype=torch.float64)).exponent - 1
    return torch.ldexp(to_grid(torch.ldexp(parameter, exponent)), -exponent)


def by_tensor(module: torch.nn.Module, storage: Storage) -> dict[int, torch.Tensor]:
    """What a block's tensors become, by their addresses; those that stay as they are, are left out."""
    named: Mapping[str, torch.Tensor] = {**dict(module.named_parameters()), **({} if storage in PACKED else dict(module.named_buffers()))}
    made = {n: (t.data, rounded(n, t.data, module, storage)) for n, t in named.items() if t.numel()}
    return {t.data_ptr(): r for t, r in made.values() if not torch.equal(t, r)}


def change(module: torch.nn.Module, storage: Storage) -> Change | None:
    """The rounding of a module's tensors, for a :class:`mpcheck.policy.isolation.Treatment`; None where no bit changes."""
    known = by_tensor(module, storage)
    return (lambda t: known.get(t.data_ptr(), t)) if known else None


def coordinates(graph: Mapping[str, torch.Tensor], dtype: torch.dtype) -> dict[str, torch.Tensor]:
    """A structure's tensors as a model of another type is given them, in float64."""
    return {n: t.to(dtype).to(t.dtype) if t.is_floating_point() else t for n, t in graph.items()}
