"""A block that computes in a format of its own: inputs cast on the way in, results on the way out."""

from __future__ import annotations

from typing import Any

import torch

from mpcheck.adapters.tree import map_nested
from mpcheck.policy.running.packed import Packed


class Wrapped(torch.nn.Module):
    """A block in the place of the same block of the base.

    Gradients pass the casts: that of an input arrives in the type that the input had.

    Attributes:
        inner: the block, its tensors cast. compute: type that floating-point inputs are cast to. interface: type of what it returns.
        packed: its weights, where they are stored in a type that nothing computes in.
    """

    def __init__(self, inner: torch.nn.Module, compute: torch.dtype, interface: torch.dtype, packed: Packed | None = None) -> None:
        super().__init__()
        self.inner = inner
        self.compute = compute
        self.interface = interface
        self.packed = packed

    def forward(self, *args: Any, **kwargs: Any) -> Any:
        """What the block returns, in the interface's type."""
        args, kwargs = map_nested(lambda t: cast(t, self.compute), (args, kwargs))
        if self.packed is None:
            result = self.inner(*args, **kwargs)
        else:
            result = torch.func.functional_call(self.inner, self.packed.weights(self.compute), args, kwargs)
        return map_nested(lambda t: cast(t, self.interface), result)

    def __getattr__(self, name: str) -> Any:
        """What upstream reads off its own block (irreps, numbers) this one has too."""
        try:
            return super().__getattr__(name)
        except AttributeError:
            return getattr(super().__getattr__("inner"), name)


def cast(tensor: torch.Tensor, dtype: torch.dtype) -> torch.Tensor:
    """Floating-point tensors in a type; others as they are."""
    return tensor.to(dtype) if tensor.is_floating_point() else tensor
