"""Counters of aten operations: in which types a run computed, and how much."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Any

import torch

from mpcheck.checks.audit.partial_sums import ReductionProbe
from mpcheck.reference.dispatch import DispatchMode
from mpcheck.reference.operations import Operation, operation_of


def name_of(dtype: torch.dtype) -> str:
    """``bfloat16`` of ``torch.bfloat16``."""
    return str(dtype).removeprefix("torch.")


def floats(value: Any) -> Iterator[torch.Tensor]:
    """The floating-point tensors with elements in an operation's arguments or results."""
    if isinstance(value, torch.Tensor):
        if value.is_floating_point() and value.numel():
            yield value
    elif isinstance(value, (list, tuple)):
        for item in value:
            yield from floats(item)


def multiply_adds(operation: Operation, args: tuple[Any, ...], result: torch.Tensor) -> int:
    """Multiply-adds of one call: rows x columns x length of a matrix product, terms of a sum, elements of all else."""
    tensors = [a for a in args if isinstance(a, torch.Tensor)]
    if operation.product and len(tensors) >= 2:
        return result.numel() * int(tensors[-2].shape[-1] if tensors[-2].dim() else 1)
    if operation.sums is not None and tensors:
        return max(t.numel() for t in tensors)
    return result.numel()


def _same_shape(args: tuple[Any, ...]) -> bool:
    return len({a.shape for a in args if isinstance(a, torch.Tensor)}) == 1 and sum(isinstance(a, torch.Tensor) for a in args) == 2


@dataclass
class DtypeCounts:
    """What ran in which type during one run.

    Attributes:
        operations, multiply_adds: by the type of the result; views, copies and operations on single numbers do not count.
        products: matrix products alone, by type; additions: of two tensors of one shape, as where paths are added up.
        casts: copies between floating-point types, by (from, to).
        promotions: operations whose operands have different types, by (name, types).
        unexpected: operations and casts with a type that is not among the allowed ones, by (name, type).
    """

    allowed: frozenset[torch.dtype]
    operations: Counter[torch.dtype] = field(default_factory=Counter)
    multiply_adds: Counter[torch.dtype] = field(default_factory=Counter)
    products: Counter[torch.dtype] = field(default_factory=Counter)
    additions: Counter[torch.dtype] = field(default_factory=Counter)
    casts: Counter[tuple[torch.dtype, torch.dtype]] = field(default_factory=Counter)
    promotions: Counter[tuple[str, tuple[str, ...]]] = field(default_factory=Counter)
    unexpected: Counter[tuple[str, torch.dtype]] = field(default_factory=Counter)

    def note(self, operation: Operation, args: tuple[Any, ...], result: Any) -> None:
        """Count one call. A single number (no axes) takes part in an operation without setting its type, and does not count."""
        computed = next(floats(result), None)
        if computed is None or not (operation.rounds or operation.name == "_to_copy"):
            return
        operands = {t.dtype for t in floats(args) if t.dim()}
        if not operands and not computed.dim():
            return
        if operation.name == "_to_copy":
            for source in operands - {computed.dtype}:
                self.casts[source, computed.dtype] += 1
        else:
            self.operations[computed.dtype] += 1
            self.multiply_adds[computed.dtype] += multiply_adds(operation, args, computed)
            self.products[computed.dtype] += int(operation.product)
            self.additions[computed.dtype] += int(operation.name in ("add", "add_") and _same_shape(args))
            if len(operands) > 1:
                self.promotions[operation.name, tuple(sorted(map(name_of, operands)))] += 1
        for dtype in (operands | {computed.dtype}) - self.allowed:
            self.unexpected[operation.name, dtype] += 1


class CountingMode(DispatchMode):
    """Counts every aten operation, also those inside TorchScript and of the backward pass; results pass unchanged."""

    def __init__(self, counts: DtypeCounts, probe: ReductionProbe | None = None) -> None:
        super().__init__()
        self.counts = counts
        self.probe = probe

    def __torch_dispatch__(self, func: Any, types: Any, args: Any = (), kwargs: Any = None) -> Any:
        operation = operation_of(func)
        summing = self.probe is not None and operation.sums is not None
        first = args[0].clone() if summing and operation.in_place else None
        result = func(*args, **(kwargs or {}))
        self.counts.note(operation, args, result)
        if summing and self.probe is not None:
            self.probe.note(func, operation, args if first is None else (first, *args[1:]), kwargs or {}, result)
        return result
