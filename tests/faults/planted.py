"""Faults that real libraries had, planted into upstream while a context lasts and taken out again."""

from __future__ import annotations

import contextlib
from collections.abc import Callable, Iterator
from typing import Any

import torch

from mpcheck.adapters.backends import base as e3nn_backend
from mpcheck.adapters.backends.casting import replaced
from mpcheck.adapters.upstream import mace

Function = Callable[[torch.Tensor], torch.Tensor]


@contextlib.contextmanager
def replaced_attribute(owner: Any, name: str, value: Any) -> Iterator[None]:
    """An attribute of a module or object, put back afterwards; one of its class is its class's again, not a copy of its own."""
    original = getattr(owner, name)
    tables = (vars(owner), *(vars(owner).get(table, {}) for table in ("_modules", "_parameters", "_buffers")))
    inherited = not any(name in table for table in tables)
    setattr(owner, name, value)
    try:
        yield
    finally:
        if inherited:
            delattr(owner, name)
        else:
            setattr(owner, name, original)


@contextlib.contextmanager
def weights_through(between: torch.dtype, target: torch.dtype) -> Iterator[None]:
    """Parameters and buffers rounded to one format on their way to another: ``model.to(bfloat16).to(float16)``."""
    original = e3nn_backend.to_dtype

    def twice(dtype: torch.dtype) -> Function:
        once = original(dtype)
        if dtype != target:
            return once
        return lambda t: once(t.to(between)) if t.is_floating_point() else t

    with replaced_attribute(e3nn_backend, "to_dtype", twice):
        yield


def truncate(x: torch.Tensor, dtype: torch.dtype) -> torch.Tensor:
    """A float32 tensor to bfloat16 towards zero: the low 16 bits dropped instead of rounded."""
    bits = x.float().contiguous().view(torch.int32) & ~0xFFFF
    return bits.view(torch.float32).to(dtype)


class _Truncated(torch.autograd.Function):
    @staticmethod
    def forward(ctx: Any, x: torch.Tensor) -> torch.Tensor:
        return truncate(x, torch.bfloat16)

    @staticmethod
    def backward(ctx: Any, grad: torch.Tensor) -> torch.Tensor:
        return grad.float()


@contextlib.contextmanager
def truncating(module: torch.nn.Module) -> Iterator[None]:
    """A bfloat16 module that computes in float32 and truncates its result on the way out."""
    original = module.forward

    def forward(*args: Any, **kwargs: Any) -> torch.Tensor:
        tensors = [a for a in (*args, *kwargs.values()) if isinstance(a, torch.Tensor) and a.is_floating_point()]
        if not tensors or tensors[0].dtype != torch.bfloat16:
            return original(*args, **kwargs)

        def wide(a: Any) -> Any:
            return a.float() if isinstance(a, torch.Tensor) and a.is_floating_point() else a

        with replaced(module, wide):
            return _Truncated.apply(original(*map(wide, args), **{k: wide(v) for k, v in kwargs.items()}))

    with replaced_attribute(module, "forward", forward):
        yield


@contextlib.contextmanager
def truncating_scatter() -> Iterator[None]:
    """A bfloat16 message scatter that adds in float32 and truncates its result on the way out."""
    original = mace.modules.blocks.scatter_sum

    def scatter(src: torch.Tensor, index: torch.Tensor, **kwargs: Any) -> torch.Tensor:
        if src.dtype != torch.bfloat16:
            return original(src=src, index=index, **kwargs)
        return _Truncated.apply(original(src=src.float(), index=index, **kwargs))

    with replaced_attribute(mace.modules.blocks, "scatter_sum", scatter):
        yield


@contextlib.contextmanager
def sequential_scatter(dtype: torch.dtype) -> Iterator[None]:
    """A message scatter that adds one neighbour after another in the storage type."""
    original = mace.modules.blocks.scatter_sum

    def scatter(src: torch.Tensor, index: torch.Tensor, dim: int = -1, out: Any = None, dim_size: int | None = None) -> torch.Tensor:
        if src.dtype != dtype or dim != 0:
            return original(src=src, index=index, dim=dim, out=out, dim_size=dim_size)
        result = torch.zeros(dim_size or 0, *src.shape[1:], dtype=src.dtype)
        order = torch.argsort(index, stable=True)
        counts = torch.bincount(index, minlength=dim_size or 0)
        starts = counts.cumsum(0) - counts
        for k in range(int(counts.max())):
            rows = torch.nonzero(counts > k).flatten()
            result = result.index_copy(0, rows, result[rows] + src[order[starts[rows] + k]])
        return result

    with replaced_attribute(mace.modules.blocks, "scatter_sum", scatter):
        yield


@contextlib.contextmanager
def scaled_weight_gradient(parameter: torch.nn.Parameter, where: slice, factor: float) -> Iterator[None]:
    """One slice of one weight's gradient scaled: a kernel that gets a single instruction wrong."""

    def hook(grad: torch.Tensor) -> torch.Tensor:
        grad = grad.clone()
        grad[where] *= factor
        return grad

    handle = parameter.register_hook(hook)
    try:
        yield
    finally:
        handle.remove()


@contextlib.contextmanager
def tables_through(between: torch.dtype) -> Iterator[None]:
    """A block's tables (Clebsch-Gordan coefficients) kept in a narrower format, whatever the block runs in."""
    original = e3nn_backend.to_dtype

    def narrow(dtype: torch.dtype) -> Function:
        once = original(dtype)
        return lambda t: once(t.to(between)) if t.is_floating_point() and not isinstance(t, torch.nn.Parameter) else once(t)

    with replaced_attribute(e3nn_backend, "to_dtype", narrow):
        yield
