"""Whether a block's weights are the original's, rounded to the nearest number of what they are stored in."""

from __future__ import annotations

from collections.abc import Iterator, Mapping

import torch

from mpcheck.policy.rules import BlockFormat, carrier
from mpcheck.policy.running.packed import LEVELS, Packed, key_of
from mpcheck.policy.running.wrapped import Wrapped

PROBED = 16
"""Channels of a block whose scales are looked at, of at most a few hundred."""


def weight_faults(block: torch.nn.Module, original: torch.nn.Module, fmt: BlockFormat, zeroed: bool) -> Iterator[str]:
    """What is wrong with the weights of a block.

    Args:
        block: as it lies in a model with a policy. original: in float64. zeroed: whether energies of isolated atoms are summed elsewhere.
    """
    packed = block.packed if isinstance(block, Wrapped) else None
    inner = block.inner if isinstance(block, Wrapped) else block
    weights = dict(original.named_parameters())
    if packed is not None:
        yield from _packed_faults(packed, original, weights, fmt)
    else:
        storage: torch.dtype = getattr(torch, fmt.storage)
        own = dict(inner.named_parameters())
        for name, weight in weights.items():
            if (found := own.get(name)) is None:
                yield f"weight {name} is not there"
            elif not torch.equal(found.detach().cpu(), weight.detach().cpu().to(storage).to(found.dtype)):
                yield f"weight {name} is not the nearest {fmt.storage} number everywhere"
    compute: torch.dtype = getattr(torch, carrier(fmt.compute))
    stored = compute if packed is not None or fmt.storage != carrier(fmt.compute) else getattr(torch, fmt.storage)
    if wrong := sorted({str(p.dtype) for p in inner.parameters()} - {str(stored)}):
        yield f"weights are in {', '.join(wrong)}, not in {fmt.storage}"
    if zeroed and "atomic_energies" in inner._buffers and bool(inner.get_buffer("atomic_energies").any()):
        yield "energies of isolated atoms are summed here and apart"


def _packed_faults(packed: Packed, original: torch.nn.Module, weights: Mapping[str, torch.Tensor], fmt: BlockFormat) -> Iterator[str]:
    if packed.storage != fmt.storage:
        yield f"weights are stored in {packed.storage}, not in {fmt.storage}"
        return
    found = packed.weights(torch.float64)
    for name, weight in weights.items():
        value, exact = found[name].cpu(), weight.detach().cpu()
        if packed.storage == "int8":
            step = _steps(packed, name, exact)
            if bool(((value - exact).abs() > step * (0.5 + 1e-6)).any()):  # the scale itself is a float32 number
                yield f"weight {name} is not the nearest int8 number of its channel's scale everywhere"
            elif spreading := _spreading(packed, name, original):
                yield f"weight {name} has a scale for {spreading}, not for each output channel"
        elif (reason := _float8_fault(packed, name, exact, value)) is not None:
            yield f"weight {name} {reason}"


def _steps(packed: Packed, name: str, exact: torch.Tensor) -> torch.Tensor:
    """The step between neighbouring numbers that each weight may be stored in: of the weights that share its scale, the largest over 127."""
    flat, steps = exact.flatten(), torch.empty(exact.numel(), dtype=torch.float64)
    for group in _groups(packed, name):
        steps[group] = flat[group].abs().max() / LEVELS
    return steps.reshape(exact.shape)


def _groups(packed: Packed, name: str) -> Iterator[torch.Tensor]:
    """Places in the flattened weight that share a scale."""
    for part in packed.parts[name]:
        places = part.start + torch.arange(torch.Size(part.shape).numel()).reshape(part.shape)
        yield from (channel.flatten() for channel in places.unbind(part.axis))


def _spreading(packed: Packed, name: str, original: torch.nn.Module) -> str:
    """What a scale belongs to, where it is no output channel: weights of one move the copy of one irrep, of others everything.

    Told by the block itself: a linear layer is called with one group of weights changed, and the components that move are counted.
    """
    irreps = getattr(original, "irreps_in", None)
    if irreps is None or not hasattr(original, "weight_numel"):
        return ""
    widest = max(int(ir.dim) for _, ir in original.irreps_out)  # type: ignore[union-attr]  # e3nn's
    features = torch.randn(2, int(irreps.dim), dtype=torch.float64, generator=torch.Generator().manual_seed(0))
    weight = dict(original.named_parameters())[name].detach().cpu()
    before = torch.func.functional_call(original, {name: weight}, (features,))
    for group in list(_groups(packed, name))[:PROBED]:
        moved = weight.clone().flatten()
        moved[group] += 1.0
        after = torch.func.functional_call(original, {name: moved.reshape(weight.shape)}, (features,))
        changed = int((after != before).any(dim=0).sum())
        if changed > widest:
            return f"weights that {changed} components of its result depend on"
    return ""


def _float8_fault(packed: Packed, name: str, exact: torch.Tensor, value: torch.Tensor) -> str | None:
    scale = float(packed.get_buffer(key_of(name, "scales")))
    nearest = (exact / scale).to(torch.float8_e4m3fn).to(torch.float64) * scale
    if not torch.equal(nearest, value):
        return "is not the nearest float8 number everywhere"
    most = float(exact.abs().max()) / scale if exact.numel() else 0.0
    return None if most == 0.0 or torch.finfo(torch.float8_e4m3fn).max / 2 < most * 1.001 else "is scaled into the lower half of what float8 holds"
