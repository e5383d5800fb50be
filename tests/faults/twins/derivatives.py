"""Twins of faults of derivatives: the same derivative by another call, another formula or another order."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Any
from weakref import WeakKeyDictionary

import torch

from mpcheck.adapters.backends.casting import replaced, to_dtype
from mpcheck.adapters.upstream import mace, o3
from mpcheck.sessions.run import Session
from tests.faults.patches.planting import dtype_named, exchanged, patch, result_changed
from tests.faults.twins.acting import Acts, in_three_parts, wide


@patch
def one_instruction_apart(session: Session, acts: Acts, instruction: int, dtype: str) -> Iterator[None]:
    """One instruction of every tensor product in a launch of its own, with its gradients, and added to the others."""

    def make(original: Callable[..., Any]) -> Callable[..., Any]:
        def forward(self: Any, x: torch.Tensor, y: torch.Tensor, weight: Any = None) -> Any:
            if not (isinstance(weight, torch.Tensor) and weight.dtype == dtype_named(dtype) and weight.requires_grad):
                return original(self, x, y, weight)
            acts()
            sizes = [int(torch.Size(i.path_shape).numel()) for i in self.instructions]
            chosen = range(len(sizes))[instruction]
            start = sum(sizes[:chosen])
            alone = torch.zeros(weight.shape[-1], dtype=weight.dtype, device=weight.device)
            alone[start : start + sizes[chosen]] = 1
            return original(self, x, y, weight * alone) + original(self, x, y, weight * (1 - alone))

        return forward

    with exchanged(o3.TensorProduct, "forward", make):
        yield


WIDER = {torch.bfloat16: torch.float32, torch.float16: torch.float32, torch.float32: torch.float64}


@patch
def product_in_the_next_wider_type(session: Session, acts: Acts, dtype: str) -> Iterator[None]:
    """Tensor products of features with weights by edge as one fused kernel: computed in a wider type, every result rounded once."""

    def make(original: Callable[..., Any]) -> Callable[..., Any]:
        def forward(self: Any, x: torch.Tensor, y: torch.Tensor, weight: Any = None) -> Any:
            if not (isinstance(weight, torch.Tensor) and x.dtype == dtype_named(dtype) and x.dtype in WIDER):
                return original(self, x, y, weight)
            acts()
            between = WIDER[x.dtype]
            with replaced(self, to_dtype(between)):
                found: torch.Tensor = original(self, x.to(between), y.to(between), weight.to(between)).to(x.dtype)
            return found

        return forward

    with exchanged(o3.TensorProduct, "forward", make):
        yield


@patch
def forces_by_another_call(session: Session, acts: Acts) -> Iterator[None]:
    """Forces as the gradient of the summed energy, the graph kept, instead of a vector-Jacobian product with ones."""

    def make(_: Any) -> Any:
        def call(energy: torch.Tensor, positions: torch.Tensor, training: bool = True) -> torch.Tensor:
            acts()
            (gradient,) = torch.autograd.grad(energy.sum(), positions, retain_graph=True, create_graph=training, allow_unused=True)
            return torch.zeros_like(positions) if gradient is None else -gradient

        return call

    with exchanged(mace.modules.utils, "compute_forces", make):
        yield


@patch
def forces_through_three_parts(session: Session, acts: Acts) -> Iterator[None]:
    """Forces and virials that went through float32, each as three parts."""

    def pieces(t: Any) -> Any:
        return in_three_parts(t) if isinstance(t, torch.Tensor) else t

    def make(original: Callable[..., Any]) -> Callable[..., Any]:
        def call(*args: Any, **kwargs: Any) -> Any:
            acts()
            found = original(*args, **kwargs)
            return tuple(map(pieces, found)) if isinstance(found, tuple) else pieces(found)

        return call

    utils = mace.modules.utils
    with exchanged(utils, "compute_forces", make), exchanged(utils, "compute_forces_virials", make):
        yield


@patch
def gradient_into_a_kept_buffer(session: Session, acts: Acts) -> Iterator[None]:
    """The gradient of every linear layer is accumulated into a buffer that is kept between calls, and set to zero before."""
    kept: dict[tuple[Any, ...], torch.Tensor] = {}

    class Accumulated(torch.autograd.Function):
        @staticmethod
        def forward(ctx: Any, x: torch.Tensor) -> torch.Tensor:
            return x.clone()

        @staticmethod
        def backward(ctx: Any, grad: torch.Tensor) -> torch.Tensor:
            acts()
            key = (grad.shape, grad.dtype, grad.device)
            if key not in kept:
                kept[key] = torch.empty(grad.shape, dtype=grad.dtype, device=grad.device)
            return kept[key].zero_().add_(grad).clone()

    accumulated: Callable[..., torch.Tensor] = Accumulated.apply
    with result_changed(o3.Linear, lambda self, out, *_: accumulated(out)):
        yield


@patch
def gradient_through_a_cache_from_call(session: Session, acts: Acts, call: int) -> Iterator[None]:
    """From one call on every linear layer's gradient is gathered by a kept permutation and its kept inverse, right in every call."""
    calls: WeakKeyDictionary[torch.nn.Module, int] = WeakKeyDictionary()
    kept: dict[int, tuple[torch.Tensor, torch.Tensor]] = {}

    def there_and_back(grad: torch.Tensor) -> torch.Tensor:
        acts()
        rows = len(grad)
        if rows not in kept:
            order = torch.randperm(rows, generator=torch.Generator().manual_seed(rows))
            kept[rows] = order, torch.argsort(order)
        order, back = kept[rows]
        return grad[order][back]

    def change(self: torch.nn.Module, out: torch.Tensor, *_: Any) -> torch.Tensor:
        calls[self] = calls.get(self, 0) + 1
        if calls[self] >= call and out.requires_grad:
            out.register_hook(there_and_back)
        return out

    with result_changed(o3.Linear, change):
        yield


@patch
def harmonics_guarded_on_the_axis(session: Session, acts: Acts) -> Iterator[None]:
    """Spherical harmonics by way of sqrt(x^2 + y^2) that is replaced before its root is taken where it is zero."""

    def make(original: Callable[..., Any]) -> Callable[..., Any]:
        def forward(self: Any, x: torch.Tensor) -> torch.Tensor:
            acts()
            square = x[..., 0].square() + x[..., 2].square()
            rho = torch.where(square > 0, square, torch.ones_like(square)).sqrt()
            found: torch.Tensor = original(self, x) + 0.0 * rho.unsqueeze(-1)
            return found

        return forward

    with exchanged(o3.SphericalHarmonics, "forward", make):
        yield


class _Silu(torch.autograd.Function):
    """silu and its derivative through tanh, which does not overflow; the inner arithmetic is at least float32, rounded once."""

    @staticmethod
    def forward(ctx: Any, x: torch.Tensor) -> torch.Tensor:
        ctx.save_for_backward(x)
        t = wide(x)
        return (0.5 * t * (1 + torch.tanh(0.5 * t))).to(x.dtype)

    @staticmethod
    def backward(ctx: Any, grad: torch.Tensor) -> torch.Tensor:
        (x,) = ctx.saved_tensors
        t = wide(x)
        sigmoid = 0.5 * (1 + torch.tanh(0.5 * t))
        found: torch.Tensor = (wide(grad) * sigmoid * (1 + t * (1 - sigmoid))).to(x.dtype)
        return found


@patch
def silu_by_tanh(session: Session, acts: Acts) -> Iterator[None]:
    """silu as x (1 + tanh(x/2)) / 2."""
    from e3nn.math import normalize2mom

    silu: Callable[..., torch.Tensor] = _Silu.apply

    def make(original: Callable[..., Any]) -> Callable[..., Any]:
        def forward(self: Any, x: torch.Tensor) -> torch.Tensor:
            if self.f is not torch.nn.functional.silu:
                found: torch.Tensor = original(self, x)
                return found
            acts()
            scaled: torch.Tensor = silu(x) * self.cst
            return scaled

        return forward

    with exchanged(normalize2mom, "forward", make):
        yield
