"""A layer that computes in 16 bits while its parameters are trained: cast from wide masters in every call, or kept in 16 bits themselves."""

from __future__ import annotations

from typing import Any

import torch

from mpcheck.adapters.backends.mixed import substituted
from mpcheck.adapters.backends.twin import twin
from mpcheck.adapters.blocks import module_blocks
from mpcheck.adapters.tree import map_nested

LINEAR = "linear"
"""Role of the layers that are lowered: what speaks for 16 bits is matrix products, and what speaks against them is everything else."""


class Narrow(torch.nn.Module):
    """A layer in the place of the same layer of a wider model, with parameters of the same names.

    What it is given is cast on the way in and what it returns on the way out, differentiably, so that gradients pass the same casts.

    Attributes:
        compute: type of its products. interface: type of what it returns.
    """

    def __init__(self, inner: torch.nn.Module, compute: torch.dtype, interface: torch.dtype, master: torch.dtype) -> None:
        """Args:
        inner: a copy that nobody else uses. master: type that its parameters are kept and updated in.
        """
        super().__init__()
        for name, parameter in list(inner._parameters.items()):
            if parameter is not None:
                kept = parameter.detach().to(master, copy=True)
                self.register_parameter(name, torch.nn.Parameter(kept, parameter.requires_grad))
        inner._apply(lambda t: t.to(compute) if t.is_floating_point() else t)
        object.__setattr__(self, "inner", inner)  # no submodule: its parameters are these
        self.compute, self.interface = compute, interface

    def forward(self, *args: Any, **kwargs: Any) -> Any:
        """What the layer returns, in the interface's type."""
        args, kwargs = map_nested(lambda t: _cast(t, self.compute), (args, kwargs))
        own = {n: _cast(p, self.compute) for n, p in self._parameters.items() if p is not None}
        return map_nested(lambda t: _cast(t, self.interface), torch.func.functional_call(self.inner, own, args, kwargs))

    def __getattr__(self, name: str) -> Any:
        """What a model reads from its layer."""
        try:
            return super().__getattr__(name)
        except AttributeError:
            if "inner" not in self.__dict__:  # torch asks while this is built
                raise
            return getattr(self.__dict__["inner"], name)


def _cast(t: torch.Tensor, dtype: torch.dtype) -> torch.Tensor:
    return t.to(dtype) if t.is_floating_point() else t


def copied(model: torch.nn.Module, dtype: torch.dtype) -> torch.nn.Module:
    """A model of its own in a type, on the model's device, ready to be trained; the given one, in float64, stays as it is."""
    made = twin(model, torch.float64 if dtype == torch.float64 else torch.float32)
    made._apply(lambda t: t.to(dtype, copy=True) if t.is_floating_point() else t)
    return made


def layers(source: torch.nn.Module) -> list[str]:
    """Paths of a model's linear layers that have parameters of their own."""
    found = [b.module_path for b in module_blocks(source) if b.kind == "leaf" and b.role == LINEAR]
    return [path for path in found if any(p is not None for p in source.get_submodule(path)._parameters.values())]


def lowered(model: torch.nn.Module, source: torch.nn.Module, wide: torch.dtype, compute: torch.dtype, stored: bool) -> torch.nn.Module:
    """A model of its own whose linear layers compute in 16 bits.

    Args:
        model: float64, of any backend. source: the e3nn model, whose blocks have roles. wide: of everything else. stored: whether the layers'
            parameters are kept in 16 bits, too; else they are wide masters.
    """
    made = copied(model, wide)
    for path in layers(source):
        inner = twin(model.get_submodule(path), torch.float64 if compute == torch.float64 else torch.float32)
        made = substituted(made, path, Narrow(inner, compute, wide, compute if stored else wide))
    return made


class Autocast(torch.nn.Module):
    """A model whose forward pass is under torch.autocast."""

    def __init__(self, model: torch.nn.Module, dtype: torch.dtype, device: torch.device) -> None:
        super().__init__()
        self.model, self.dtype, self.device = model, dtype, device

    def forward(self, *args: Any, **kwargs: Any) -> Any:
        """The model's outputs."""
        with torch.autocast(self.device.type, dtype=self.dtype):
            return self.model(*args, **kwargs)
