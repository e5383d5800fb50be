"""What a format makes of a block, emulated in float64: its numbers stored in the format, and each operation's result rounded to it once."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import torch

from mpcheck.reference.dispatch import DispatchMode
from mpcheck.reference.operations import FACTORIES, operation_of

_STORES = FACTORIES | {"_to_copy", "lift_fresh_copy"}


class SingleRounding(DispatchMode):
    """Rounds every float64 result to a type; ``operand`` rounds what products multiply, where the format does that."""

    def __init__(self, dtype: torch.dtype, operand: Callable[[torch.Tensor], torch.Tensor] | None = None) -> None:
        super().__init__()
        self.dtype = dtype
        self.operand = operand

    def _rounded(self, value: Any) -> Any:
        if isinstance(value, torch.Tensor) and value.dtype == torch.float64:
            return value.to(self.dtype).to(torch.float64)
        return type(value)(map(self._rounded, value)) if isinstance(value, (tuple, list)) else value

    def _operand(self, value: Any) -> Any:
        known = isinstance(value, torch.Tensor) and self.operand is not None and value.dtype in (torch.float64, torch.float32)
        return self.operand(value) if known and self.operand is not None else value

    def __torch_dispatch__(self, func: Any, types: Any, args: Any = (), kwargs: Any = None) -> Any:
        operation = operation_of(func)
        if operation.product and self.operand is not None:
            args = tuple(map(self._operand, args))
        result = func(*args, **(kwargs or {}))
        if not (operation.rounds or operation.name in _STORES):
            return result
        rounded = self._rounded(result)
        return result.copy_(rounded) if operation.in_place and isinstance(result, torch.Tensor) and result.dtype == torch.float64 else rounded
