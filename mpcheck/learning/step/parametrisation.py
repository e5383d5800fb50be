"""Under which names and in which shapes a backend keeps its parameters, beside the reference's."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Literal

import torch

from mpcheck._unsupported import Unsupported
from mpcheck.adapters.backends.parametrisation import own_gradients, own_parameters, takes_reduced
from mpcheck.adapters.backends.protocol import BackendModel
from mpcheck.adapters.blocks import WHOLE

Tensors = dict[str, torch.Tensor]
Kind = Literal["own", "mapped"]
KINDS: tuple[Kind, ...] = ("own", "mapped")
"""own: e3nn's parameters; mapped: those of a model whose symmetric contractions the converter has mapped to cuEquivariance's. Adam is no linear
function of a gradient: what an optimiser makes of other parameters has to be computed from their own gradients."""


def in_kind(kind: Kind, model: torch.nn.Module, parameters: Mapping[str, torch.Tensor], gradients: bool) -> Tensors:
    """Parameters of the float64 e3nn model, or gradients by them, in a parametrisation; without those that it does not have."""
    if kind == "own":
        return dict(parameters)
    reduced = takes_reduced(model)
    if not gradients:
        return own_parameters(model, parameters, reduced)
    kept = set(own_parameters(model, parameters, reduced))
    return {n: g for n, g in parameters.items() if n in kept} | own_gradients(model, parameters, reduced)


@dataclass(frozen=True)
class Names:
    """How a backend's parameters are found among the reference's.

    Attributes:
        kind: of parametrisation. reference: the reference's name, by the backend's own. shapes: of the backend's parameters.
    """

    kind: Kind
    reference: Mapping[str, str]
    shapes: Mapping[str, torch.Size]

    def own(self, tensors: Mapping[str, torch.Tensor]) -> Tensors:
        """Tensors of the reference under the backend's names and in its shapes."""
        return {n: tensors[r].reshape(self.shapes[n]) for n, r in self.reference.items() if r in tensors}

    def referred(self, tensors: Mapping[str, torch.Tensor], like: Mapping[str, torch.Tensor]) -> Tensors:
        """Tensors of the backend under the reference's names, in the shapes of ``like``."""
        named = {self.reference[n]: t for n, t in tensors.items()}
        return {n: t.reshape(like[n].shape) if n in like and like[n].numel() == t.numel() else t for n, t in named.items()}


def names_of(backend: BackendModel, parametrised: Mapping[Kind, Mapping[str, torch.Tensor]]) -> Names | Unsupported:
    """The names of a backend's parameters, by asking it to map tensors whose numbers tell where they come from.

    Args:
        parametrised: the reference's parameters in each parametrisation.
    """
    own = backend.parameters(WHOLE)
    probes, first = {}, 0
    for name, parameter in own.items():
        probes[name] = torch.arange(first, first + parameter.numel(), dtype=torch.float64, device=parameter.device).reshape(parameter.shape)
        first += parameter.numel()
    starts = {float(p.reshape(-1)[0]): n for n, p in probes.items() if p.numel()}
    found: dict[str, str] = {}
    for reference, mapped in backend.reference_gradients(WHOLE, probes).items():
        source = starts.get(float(mapped.reshape(-1)[0])) if mapped.numel() else None
        if source is None or not torch.equal(mapped.reshape(-1).to(torch.float64), probes[source].reshape(-1)):
            return Unsupported(
                "not-applicable", f"{backend.name} keeps {reference} otherwise than the reference, and maps gradients alone", backend.name
            )
        found[source] = reference
    if lost := sorted(n for n, p in own.items() if p.numel() and n not in found):
        return Unsupported("not-applicable", f"{backend.name} does not say what the reference calls {lost[0]}", backend.name)
    for kind in KINDS:
        if set(found.values()) <= set(parametrised[kind]):
            return Names(kind, found, {n: p.shape for n, p in own.items()})
    missing = sorted(set(found.values()) - set(parametrised["mapped"]))[0]
    return Unsupported("not-applicable", f"{backend.name} has a parameter {missing} that the reference has under no name", backend.name)
