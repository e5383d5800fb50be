"""An operation once more in float64, on the operands that it had, by torch's own kernel whatever stands in its way."""

from __future__ import annotations

from typing import Any

import torch
from torch.utils._python_dispatch import _disable_current_modes

from mpcheck.reference.operations import EXACT, operation_of

_UNREPEATABLE = frozenset("empty empty_like empty_strided new_empty new_empty_strided bernoulli bernoulli_ rand rand_like randn randn_like".split())
_RANDOM = ("normal", "uniform", "dropout", "native_dropout", "multinomial", "randint", "randperm", "_local_scalar_dense")


def repeatable(func: Any) -> bool:
    """Whether an operation gives the same from the same operands: one of torch's own, whose result is not random or left uninitialised."""
    name = operation_of(func).name
    return str(func).startswith(("aten.", "prims.")) and name not in _UNREPEATABLE and not name.startswith(_RANDOM)


def is_view(func: Any) -> bool:
    """Whether an operation only looks at the numbers of its operand, and not as another type's."""
    return bool(getattr(func, "is_view", False)) and operation_of(func).name in EXACT and "dtype" not in str(func)


def mutates(func: Any) -> bool:
    """Whether an operation writes into an argument."""
    schema = getattr(func, "_schema", None)
    return schema is not None and bool(schema.is_mutable)


def _tensor(x: torch.Tensor, copy: bool) -> torch.Tensor:
    if x._is_zerotensor():
        return torch.zeros(x.shape, dtype=torch.float64 if x.is_floating_point() else x.dtype, device=x.device)
    if x.is_floating_point():
        return x.detach().to(torch.float64, copy=copy)
    return x.clone() if copy else x


def widened(value: Any, copy: bool = False) -> Any:
    """Operands with every floating-point tensor, and every floating-point type that is asked for, in float64.

    Args:
        copy: also where it has that type already, since the operation is going to write into it.
    """
    if isinstance(value, torch.Tensor):
        return _tensor(value, copy)
    if isinstance(value, torch.dtype):
        return torch.float64 if value.is_floating_point else value
    if isinstance(value, (list, tuple)):
        return type(value)(widened(v, copy) for v in value)
    if isinstance(value, dict):
        return {k: widened(v, copy) for k, v in value.items()}
    return value


def in_float64(func: Any, args: Any, kwargs: Any) -> Any:
    """An operation's result on operands in float64; None where torch has no such kernel."""
    with _disable_current_modes(), torch.no_grad():
        try:
            return func(*args, **kwargs)
        except (RuntimeError, NotImplementedError, IndexError, TypeError, ValueError):
            return None
