"""What the tensors of a replay would be without any rounding: each has a float64 shadow, on which every operation is repeated."""

from __future__ import annotations

from typing import Any

import torch

from mpcheck.judge.operations.widened import in_float64, mutates, widened

Key = tuple[Any, ...]


def key_of(x: torch.Tensor) -> Key:
    """The same for every tensor of the same memory: autograd keeps results in tensors of its own."""
    return (x.untyped_storage()._cdata, x.storage_offset(), tuple(x.shape), x.stride(), x.dtype)


class Shadows:
    """Float64 values of tensors, by their memory, which is held so that no other tensor comes to lie there."""

    def __init__(self) -> None:
        self.held: dict[Key, tuple[torch.Tensor, torch.Tensor]] = {}

    def set(self, x: torch.Tensor, shadow: torch.Tensor) -> None:
        """Give a tensor its shadow, a view of another one's where it is a view itself."""
        if not x._is_zerotensor():
            self.held[key_of(x)] = (x, shadow)

    def get(self, x: torch.Tensor) -> torch.Tensor:
        """A tensor's shadow; itself in float64 where nothing is known of it."""
        if x._is_zerotensor():
            return torch.zeros(x.shape, dtype=torch.float64, device=x.device)
        known = self.held.get(key_of(x))
        if known is None:
            self.set(x, widened(x, copy=True))
            known = self.held[key_of(x)]
        return known[1]

    def of(self, value: Any) -> Any:
        """Operands with every floating-point tensor replaced by its shadow."""
        if isinstance(value, torch.Tensor):
            return self.get(value) if value.is_floating_point() else value
        if isinstance(value, (list, tuple)):
            return type(value)(self.of(v) for v in value)
        if isinstance(value, dict):
            return {k: self.of(v) for k, v in value.items()}
        return widened(value)

    def run(self, func: Any, args: Any, kwargs: Any) -> Any:
        """An operation on shadows; before it is done on the tensors themselves, whose integers it may overwrite. None where it cannot be."""
        if mutates(func) and any(isinstance(a, torch.Tensor) and not a.is_floating_point() for a in args[:1]):
            return None
        return in_float64(func, self.of(args), self.of(kwargs))

    def note(self, result: Any, shadow: Any, errors: dict[int, torch.Tensor]) -> None:
        """Shadows of an operation's results.

        Args:
            errors: added to the shadow of each result that has one: of an operation whose own rounding is to be followed.
        """
        results = result if isinstance(result, (list, tuple)) else [result]
        shadows = shadow if isinstance(shadow, (list, tuple)) else [shadow] * len(results)
        for place, (one, own) in enumerate(zip(results, shadows, strict=False)):
            if not isinstance(one, torch.Tensor) or not one.is_floating_point():
                continue
            if not isinstance(own, torch.Tensor) or own.shape != one.shape:
                self.set(one, widened(one, copy=True))
                continue
            if place in errors:
                own.add_(errors[place])
            self.set(one, own)
