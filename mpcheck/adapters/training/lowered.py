"""A model that trains in lower precision: upstream's own, in which some modules round. Names of parameters stay upstream's.

On a CPU and on CUDA alike ``torch.autocast`` around a whole MACE raises in the symmetric contraction, whose operands are then of two types;
that block is left out of it, and so are the energies of isolated atoms, which autocast would take for a product of learned numbers and round
(by 0.06 eV for a water molecule in bfloat16). Everything else is autocast's.
"""

from __future__ import annotations

import copy
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from functools import partial
from typing import Any

import torch

from mpcheck.adapters.tree import map_nested
from mpcheck.adapters.upstream import SymmetricContraction, mace, o3


@dataclass(frozen=True)
class Lowering:
    """What is done to a model.

    Attributes:
        base: type of everything else. autocast: type that products are cast to, around the whole model. linear: type that linear layers compute
            in. master: whether their weights stay in the base's type.
    """

    base: torch.dtype
    autocast: torch.dtype | None = None
    linear: torch.dtype | None = None
    master: bool = True


def lowered(model: torch.nn.Module, how: Lowering, device: torch.device) -> torch.nn.Module:
    """A copy of a float64 model that computes as it is told, in training mode."""
    made = copy.deepcopy(model).to(device=device, dtype=how.base).train()
    if how.linear is not None:
        for _, module in linears(made):
            _half(module, how.linear, how.base, how.master)
    if how.autocast is not None:
        for module in made.modules():
            if isinstance(module, (SymmetricContraction, mace.modules.blocks.AtomicEnergiesBlock)):
                _around(module, partial(_outside, base=how.base, device=device.type))
        _around(made, partial(_within, device=device.type, dtype=how.autocast))
    return made


def linears(model: torch.nn.Module) -> Iterator[tuple[str, torch.nn.Module]]:
    """Linear layers that have weights, with their paths."""
    for path, module in model.named_modules():
        if isinstance(module, o3.Linear) and any(p.numel() for p in module.parameters(recurse=False)):
            yield path, module


Forward = Callable[..., Any]


def _around(module: torch.nn.Module, wrap: Callable[[Forward], Forward]) -> None:
    """Another forward for a module of ours; what calls it, and its parameters, stay."""
    module.forward = wrap(module.forward)


def _within(inner: Forward, device: str, dtype: torch.dtype | None) -> Forward:
    def forward(*args: Any, **kwargs: Any) -> Any:
        with torch.autocast(device, dtype=dtype):
            return inner(*args, **kwargs)

    return forward


def _outside(inner: Forward, base: torch.dtype, device: str) -> Forward:
    def forward(*args: Any, **kwargs: Any) -> Any:
        args, kwargs = map_nested(lambda t: _cast(t, base), (args, kwargs))
        with torch.autocast(device, enabled=False):
            return inner(*args, **kwargs)

    return forward


def _half(module: torch.nn.Module, dtype: torch.dtype, base: torch.dtype, master: bool) -> None:
    """A linear layer that computes in 16 bits and answers in the base's type."""
    if not master:
        module.to(dtype)

    def wrapped(inner: Forward) -> Forward:
        def forward(features: torch.Tensor) -> torch.Tensor:
            weights = {name: p.to(dtype) for name, p in module.named_parameters(recurse=False) if p.numel()}
            out: torch.Tensor = inner(features.to(dtype), **weights)
            return out.to(base)

        return forward

    _around(module, wrapped)


def _cast(tensor: torch.Tensor, dtype: torch.dtype) -> torch.Tensor:
    return tensor.to(dtype) if tensor.is_floating_point() else tensor
