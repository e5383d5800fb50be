"""Faults of derivatives: forward results stay right to the last bit."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Any
from weakref import WeakKeyDictionary

import torch

from mpcheck.adapters.upstream import mace, o3
from mpcheck.sessions.run import Session
from tests.faults.patches.planting import dtype_named, exchanged, patch, result_changed


class _ScaledColumns(torch.autograd.Function):
    """The identity, whose gradient is scaled in some columns."""

    @staticmethod
    def forward(ctx: Any, x: torch.Tensor, start: int, stop: int, factor: float) -> torch.Tensor:
        ctx.columns, ctx.factor = slice(start, stop), factor
        return x.view_as(x)

    @staticmethod
    def backward(ctx: Any, grad: torch.Tensor) -> tuple[torch.Tensor, None, None, None]:
        grad = grad.clone()
        grad[..., ctx.columns] *= ctx.factor
        return grad, None, None, None


@patch
def one_instruction_gradient(session: Session, instruction: int, factor: float, dtype: str) -> Iterator[None]:
    """The weight gradient of one instruction of every convolution's tensor product, in one type."""
    scaled: Callable[..., torch.Tensor] = _ScaledColumns.apply

    def make(original: Callable[..., Any]) -> Callable[..., Any]:
        def forward(self: Any, x: torch.Tensor, y: torch.Tensor, weight: Any = None) -> Any:
            if isinstance(weight, torch.Tensor) and weight.dtype == dtype_named(dtype) and weight.requires_grad:
                sizes = [int(torch.Size(i.path_shape).numel()) for i in self.instructions]
                chosen = range(len(sizes))[instruction]
                start = sum(sizes[:chosen])
                weight = scaled(weight, start, start + sizes[chosen], factor)
            return original(self, x, y, weight)

        return forward

    with exchanged(o3.TensorProduct, "forward", make):
        yield


@patch
def forces_of_zero(session: Session) -> Iterator[None]:
    """The graph is cut between positions and energy, and the gradient that is not there reads as zero."""
    with exchanged(mace.modules.utils, "compute_forces", lambda _: lambda energy, positions, training=True: torch.zeros_like(positions)):
        yield


@patch
def forces_in_float32(session: Session) -> Iterator[None]:
    """Forces and virials that went through float32."""

    def narrow(t: Any) -> Any:
        return t.float().to(t.dtype) if isinstance(t, torch.Tensor) else t

    def make(original: Callable[..., Any]) -> Callable[..., Any]:
        def call(*args: Any, **kwargs: Any) -> Any:
            found = original(*args, **kwargs)
            return tuple(map(narrow, found)) if isinstance(found, tuple) else narrow(found)

        return call

    utils = mace.modules.utils
    with exchanged(utils, "compute_forces", make), exchanged(utils, "compute_forces_virials", make):
        yield


class Accumulated(torch.autograd.Function):
    """The identity, whose gradient is added to a buffer that nobody has set to zero."""

    @staticmethod
    def forward(ctx: Any, x: torch.Tensor) -> torch.Tensor:
        return x.clone()

    @staticmethod
    def backward(ctx: Any, grad: torch.Tensor) -> torch.Tensor:
        return torch.empty_like(grad).add_(grad)


@patch
def uninitialised_gradient(session: Session) -> Iterator[None]:
    """The gradient of every linear layer is accumulated into memory as it was found."""
    accumulated: Callable[..., torch.Tensor] = Accumulated.apply
    with result_changed(o3.Linear, lambda self, out, *_: accumulated(out)):
        yield


@patch
def wrong_gradient_from_call(session: Session, call: int, factor: float) -> Iterator[None]:
    """Every linear layer's gradient, right in the first calls, is scaled from one call on."""
    calls: WeakKeyDictionary[torch.nn.Module, int] = WeakKeyDictionary()

    def change(self: torch.nn.Module, out: torch.Tensor, *_: Any) -> torch.Tensor:
        calls[self] = calls.get(self, 0) + 1
        if calls[self] >= call and out.requires_grad:
            out.register_hook(lambda g: g * factor)
        return out

    with result_changed(o3.Linear, change):
        yield


@patch
def harmonics_gradient_along_the_axis(session: Session) -> Iterator[None]:
    """Spherical harmonics by way of sqrt(x^2 + y^2): right everywhere, their derivative 0/0 for vectors along one axis.

    e3nn's polar axis is y.
    """

    def make(original: Callable[..., Any]) -> Callable[..., Any]:
        def forward(self: Any, x: torch.Tensor) -> torch.Tensor:
            rho = (x[..., 0].square() + x[..., 2].square()).sqrt()
            found: torch.Tensor = original(self, x) + 0.0 * rho.unsqueeze(-1)
            return found

        return forward

    with exchanged(o3.SphericalHarmonics, "forward", make):
        yield


class _Silu(torch.autograd.Function):
    """silu, whose derivative is right and finite, and whose second derivative goes through exp(-x): inf * 0 where that overflows."""

    @staticmethod
    def forward(ctx: Any, x: torch.Tensor) -> torch.Tensor:
        ctx.save_for_backward(x)
        return torch.nn.functional.silu(x)

    @staticmethod
    def backward(ctx: Any, grad: torch.Tensor) -> torch.Tensor:
        (x,) = ctx.saved_tensors
        sigmoid = 1 / (1 + torch.exp(-x))
        found: torch.Tensor = grad * sigmoid * (1 + x * (1 - sigmoid))
        return found


@patch
def silu_by_exponential(session: Session) -> Iterator[None]:
    """The derivative of silu by way of 1 / (1 + exp(-x)), and that differentiated term by term."""
    from e3nn.math import normalize2mom

    silu: Callable[..., torch.Tensor] = _Silu.apply

    def make(original: Callable[..., Any]) -> Callable[..., Any]:
        def forward(self: Any, x: torch.Tensor) -> torch.Tensor:
            if self.f is not torch.nn.functional.silu:
                found: torch.Tensor = original(self, x)
                return found
            scaled: torch.Tensor = silu(x) * self.cst
            return scaled

        return forward

    with exchanged(normalize2mom, "forward", make):
        yield
