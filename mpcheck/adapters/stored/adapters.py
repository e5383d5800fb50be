"""LoRA adapters that were not merged before a model was saved: merged by upstream's own function, each against what it computed apart."""

from __future__ import annotations

from typing import Any

import torch

from mpcheck._errors import InputError, error_line
from mpcheck._text import counted, listed
from mpcheck.adapters.upstream import quiet

SHOWN = 3
SEED = 11
SLOPE = 4.0  # at most, of the normalised activations that a merged layer may end with


def merged(model: torch.nn.Module, where: str) -> tuple[torch.nn.Module, str]:
    """The model with every adapter in its layer's weights, and what to tell of it; a model without adapters as it is.

    Upstream's converters and blocks know a layer by its class, and an adapter hides it: conversion loses it in silence.

    Args:
        model: in float64 on the CPU; its adapters are merged in place.

    Raises:
        InputError: upstream has no adapters of this kind, or merging changes what a layer computes.
    """
    names = [path for path, m in model.named_modules() if _is_adapter(m)]
    if not names:
        return model, ""
    what = f"{where} has {counted(len(names), 'LoRA adapter')} that are not merged ({listed(names, SHOWN)})"
    remedy = "merge them where it was trained (mace.modules.lora.merge_lora_weights) and save the model again"
    probes = {path: _Probe(model.get_submodule(path)) for path in names}
    try:
        with quiet():
            from mace.modules.lora import merge_lora_weights

            model = merge_lora_weights(model)
    except Exception as error:  # another version's adapters, or none of upstream's
        raise InputError(f"{what}, and upstream cannot merge them ({error_line(error)}); {remedy}") from error
    left = [path for path, m in model.named_modules() if _is_adapter(m)]
    off = [path for path, probe in probes.items() if path not in left and not probe.same(model.get_submodule(path))]
    if left or off:
        raise InputError(f"{what}, and upstream's merging does not keep what they compute ({listed(left or off, SHOWN)}); {remedy}")
    return model, f"{counted(len(names), 'LoRA adapter')} merged into their layers by upstream's function ({listed(names, SHOWN)})"


def _is_adapter(module: torch.nn.Module) -> bool:
    """Whoever's: a layer with both factors beside its base."""
    return all(hasattr(module, name) for name in ("base", "lora_A", "lora_B"))


class _Probe:
    """What a layer computes with its adapter apart, and how far the merged one may be from it.

    A matrix product of n terms rounds by gamma_n |W| |x| (Higham, Accuracy and Stability, 2nd ed., eq. 3.13); the norm of |W| |x| is at
    most that of W in Frobenius's norm times that of x.
    """

    def __init__(self, adapter: torch.nn.Module) -> None:
        size = {n: float(p.detach().norm()) for n, p in adapter.named_parameters()}
        tensor = next(adapter.parameters())
        width = _width(adapter)
        generator = torch.Generator().manual_seed(SEED)
        self.x = torch.randn(4, width, generator=generator, dtype=tensor.dtype)
        with torch.enable_grad():  # where upstream computes base and adapter apart
            self.y = adapter(self.x).detach()
        scaling = abs(float(getattr(adapter, "scaling", 1.0)))
        base = sum(v for n, v in size.items() if n.startswith("base"))
        factors = scaling * sum(v for n, v in size.items() if n.startswith("lora_A")) * sum(v for n, v in size.items() if n.startswith("lora_B"))
        terms = width + sum(p.numel() for n, p in adapter.named_parameters() if n.startswith("lora_A")) // max(1, width)
        self.allowed = SLOPE * 4 * terms * torch.finfo(tensor.dtype).eps * (base + factors) * float(self.x.norm())

    def same(self, layer: torch.nn.Module) -> bool:
        """Whether the merged layer computes the same within rounding."""
        with torch.no_grad():
            return bool((layer(self.x) - self.y).norm() <= self.allowed)


def _width(adapter: Any) -> int:
    """Numbers that a layer takes in a row."""
    if hasattr(adapter, "irreps_in"):
        return int(adapter.irreps_in.dim)
    if hasattr(adapter, "in_features"):
        return int(adapter.in_features)
    return int(adapter.lora_A.shape[0])  # e3nn's fully connected layer: [in, rank]
