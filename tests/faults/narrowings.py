"""Faults of one operation inside a block, as code that is written so: a cast too narrow, a sum kept too narrow, a gradient cast on its way."""

from __future__ import annotations

import contextlib
from collections.abc import Callable, Iterator
from typing import Any

import torch
from torch.utils._python_dispatch import TorchDispatchMode

from tests.faults.planted import replaced_attribute


class _CastGradient(torch.autograd.Function):
    """The identity, whose gradient goes through a narrower type."""

    @staticmethod
    def forward(ctx: Any, x: torch.Tensor, through: torch.dtype) -> torch.Tensor:
        ctx.through = through
        return x.view_as(x)

    @staticmethod
    def backward(ctx: Any, grad: torch.Tensor) -> tuple[torch.Tensor, None]:
        return grad.to(ctx.through).to(grad.dtype), None


def changed(module: torch.nn.Module, change: Callable[[torch.Tensor], torch.Tensor]) -> contextlib.AbstractContextManager[None]:
    """A module whose result goes through a function."""
    original = module.forward

    def forward(*args: Any, **kwargs: Any) -> torch.Tensor:
        return change(original(*args, **kwargs))

    return replaced_attribute(module, "forward", forward)


def cast(module: torch.nn.Module, through: torch.dtype) -> contextlib.AbstractContextManager[None]:
    """A module's result, through a narrower type and back."""
    return changed(module, lambda x: x.to(through).to(x.dtype))


def gradient_cast(module: torch.nn.Module, through: torch.dtype) -> contextlib.AbstractContextManager[None]:
    """The gradient of a module's result, through a narrower type and back."""
    apply: Callable[..., torch.Tensor] = _CastGradient.apply
    return changed(module, lambda x: apply(x, through))


def product_in_parts(x: torch.Tensor, weight: torch.Tensor, through: torch.dtype, terms: int = 8) -> torch.Tensor:
    """A matrix product that rounds its sum to a type after every few terms."""
    total = torch.zeros(x.shape[0], weight.shape[1], dtype=through)
    for start in range(0, x.shape[1], terms):
        total = total + (x[:, start : start + terms] @ weight[start : start + terms]).to(through)
    return total.to(x.dtype)


def summed_in(module: torch.nn.Module, through: torch.dtype, terms: int = 8) -> contextlib.AbstractContextManager[None]:
    """A fully connected layer whose product keeps its sum in a narrower type."""

    def forward(x: torch.Tensor) -> torch.Tensor:
        weight = module.weight
        assert isinstance(weight, torch.Tensor)
        activated: torch.Tensor = product_in_parts(x, weight / module.h_in**0.5, through, terms)  # type: ignore[operator]
        return module.act(activated) * module.var_out**0.5 if module.act is not None else activated  # type: ignore[operator]

    return replaced_attribute(module, "forward", forward)


class _Kernels(TorchDispatchMode):
    """Kernels of some operations that compute through a narrower type inside, which nothing outside shows."""

    def __init__(self, names: frozenset[str], dtype: torch.dtype, through: torch.dtype) -> None:
        super().__init__()  # type: ignore[no-untyped-call]
        self.names, self.dtype, self.through = names, dtype, through

    def __torch_dispatch__(self, func: Any, types: Any, args: Any = (), kwargs: Any = None) -> Any:
        kwargs = kwargs or {}
        operands = [a for a in args if isinstance(a, torch.Tensor)]
        if func._overloadpacket.__name__ not in self.names or not operands or operands[0].dtype != self.dtype:
            return func(*args, **kwargs)
        low = [a.to(self.through) if isinstance(a, torch.Tensor) and a.is_floating_point() else a for a in args]
        return func(*low, **kwargs).to(self.dtype)


@contextlib.contextmanager
def kernels(names: str, dtype: torch.dtype, through: torch.dtype) -> Iterator[None]:
    """Kernels of the named operations on one type that compute in a narrower one."""
    with _Kernels(frozenset(names.split()), dtype, through):
        yield
