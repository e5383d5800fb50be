"""Cast a module to another dtype for a while, and put its float64 state back bit by bit, without copying the module."""

from __future__ import annotations

import contextlib
from collections.abc import Callable, Iterator

import torch


def tensors_of(module: torch.nn.Module) -> list[torch.Tensor]:
    """Every parameter and buffer, in the order in which a module's conversions visit them: also those of scripted children."""
    tensors: list[torch.Tensor] = []

    def visit(tensor: torch.Tensor) -> torch.Tensor:
        tensors.append(tensor)
        return tensor

    module._apply(visit)
    return tensors


@contextlib.contextmanager
def replaced(module: torch.nn.Module | None, function: Callable[[torch.Tensor], torch.Tensor]) -> Iterator[None]:
    """Every parameter and buffer replaced by ``function`` of it while the block runs.

    Casts always start from the float64 state, never from another format's: double rounding is a fault of its own.
    """
    if module is None:
        yield
        return
    with torch.no_grad():
        before = [t.data if isinstance(t, torch.nn.Parameter) else t for t in tensors_of(module)]
        module._apply(function)
    try:
        yield
    finally:
        saved = iter(before)
        with torch.no_grad():
            module._apply(lambda _: next(saved))


def to_dtype(dtype: torch.dtype) -> Callable[[torch.Tensor], torch.Tensor]:
    """A cast of floating-point tensors, as ``module.to(dtype)`` does it (tensors may refuse by overriding ``to``)."""
    return lambda t: t.to(dtype) if t.is_floating_point() else t
