"""Weights that are stored in fewer bits than anything computes in: int8 with a scale for each output channel, float8 with one for each tensor."""

from __future__ import annotations

from collections.abc import Mapping

import torch

from mpcheck._errors import InputError
from mpcheck.adapters.facts.channels import Matrix, matrices
from mpcheck.formats import Storage

LEVELS = 127
"""Largest int8 that is used: symmetric about zero, so that weights need no offset."""


class Packed(torch.nn.Module):
    """The weights of a block as they are stored.

    Attributes:
        storage: ``int8`` or ``float8_e4m3fn``. shapes: of the parameters, by name.
    """

    def __init__(self, storage: Storage, parameters: Mapping[str, torch.Tensor], parts: Mapping[str, list[Matrix]]) -> None:
        """Args:
        parameters: in float64, by name in the block. parts: of each, where it has a scale for each channel.
        """
        super().__init__()
        self.storage = storage
        self.shapes = {name: tuple(p.shape) for name, p in parameters.items()}
        self.parts = dict(parts)
        for name, parameter in parameters.items():
            codes, scales = quantised(parameter, self.parts[name]) if storage == "int8" else scaled(parameter)
            self.register_buffer(key_of(name, "codes"), codes)
            self.register_buffer(key_of(name, "scales"), scales)

    def weights(self, dtype: torch.dtype) -> dict[str, torch.Tensor]:
        """The parameters that the stored numbers stand for, by name, in a type that is computed in."""
        return {name: self._weight(name, dtype) for name in self.shapes}

    def _weight(self, name: str, dtype: torch.dtype) -> torch.Tensor:
        codes, scales = self.get_buffer(key_of(name, "codes")), self.get_buffer(key_of(name, "scales"))
        values = codes.to(scales.dtype)
        values = spread(scales, self.parts[name]) * values if self.storage == "int8" else values * scales
        return values.reshape(self.shapes[name]).to(dtype)

    def _apply(self, fn, recurse=True):  # type: ignore[no-untyped-def]  # as torch declares it
        """Moves to another device; what is stored keeps its type."""
        for name, buffer in self._buffers.items():
            if buffer is not None:
                self._buffers[name] = buffer.to(fn(buffer).device)
        return self


def key_of(name: str, what: str) -> str:
    """Name of the buffer that holds a weight's ``codes`` or ``scales``."""
    return f"{name.replace('.', '__')}__{what}"


def quantised(parameter: torch.Tensor, parts: list[Matrix]) -> tuple[torch.Tensor, torch.Tensor]:
    """Codes in int8, flat, and the float32 scale of each channel of each part, one after the other."""
    flat, codes, scales = parameter.detach().flatten(), [], []
    for part in parts:
        array = flat[part.start : part.start + torch.Size(part.shape).numel()].reshape(part.shape)
        others = [axis for axis in range(len(part.shape)) if axis != part.axis]
        largest = array.abs().amax(dim=others, keepdim=True) if others else array.abs()
        scale = torch.where(largest > 0, largest / LEVELS, torch.ones_like(largest)).to(torch.float32)
        codes.append((array / scale).round().clamp(-LEVELS, LEVELS).to(torch.int8).flatten())
        scales.append(scale.flatten())
    return torch.cat(codes), torch.cat(scales)


def spread(scales: torch.Tensor, parts: list[Matrix]) -> torch.Tensor:
    """The scale of every code."""
    values, start = [], 0
    for part in parts:
        count = part.shape[part.axis]
        shape = [count if axis == part.axis else 1 for axis in range(len(part.shape))]
        values.append(scales[start : start + count].reshape(shape).expand(part.shape).flatten())
        start += count
    return torch.cat(values)


def scaled(parameter: torch.Tensor) -> tuple[torch.Tensor, torch.Tensor]:
    """Codes in float8 (e4m3), flat, and a power of two that puts the largest of them below the type's largest number: no rounding of its own."""
    flat = parameter.detach().flatten()
    most = torch.finfo(torch.float8_e4m3fn).max
    largest = float(flat.abs().max()) if flat.numel() else 0.0
    exponent = torch.floor(torch.log2(torch.tensor(most / largest))) if largest > 0 else torch.tensor(0.0)
    scale = torch.exp2(-exponent).to(torch.float32)
    return (flat / scale).to(torch.float8_e4m3fn), scale


def packed(policy: str, block: str, module: torch.nn.Module, storage: Storage) -> Packed:
    """The weights of a block, packed.

    Raises:
        InputError: weights whose channels nobody knows, or that are no numbers of the module's own.
    """
    parameters = dict(module.named_parameters())
    parts: dict[str, list[Matrix]] = {}
    for name, parameter in parameters.items():
        found = matrices(module, name, parameter) if storage == "int8" else []
        if found is None:
            kind = type(module).__name__
            raise InputError(
                f"policy {policy}: weight {name} of {block} ({kind} of {type(module).__module__.partition('.')[0]}) has no known output channels"
                " to store in int8 by; take float8_e4m3fn, which needs none, or leave the block out"
            )
        parts[name] = found
    if any(isinstance(m, torch.jit.ScriptModule) and next(m.parameters(), None) is not None for m in module.modules()):
        raise InputError(f"policy {policy}: weights of {block} lie inside TorchScript, where they cannot be replaced; leave the block out")
    made = Packed(storage, parameters, parts)
    with torch.no_grad():
        alike = [n for n, w in made.weights(torch.float64).items() if parameters[n].numel() and torch.equal(w, parameters[n])]
    if alike and len(alike) == len(parameters):
        raise InputError(f"policy {policy}: storing {block} in {storage} changed no bit of its weights")
    return made
