"""What one aten operation costs, from its arguments and results alone."""

from __future__ import annotations

import functools
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import torch

from mpcheck.checks.audit.counting import floats, multiply_adds, name_of
from mpcheck.reference.operations import operation_of

# The size of their result, or the number that they return, is known only when the GPU is done.
SYNCING = frozenset(
    """
    _local_scalar_dense item is_nonzero equal nonzero nonzero_numpy argwhere masked_select unique_dim unique_consecutive
    unique_dim_consecutive _unique _unique2 bincount
    """.split()
)
ALLOCATING = frozenset("empty empty_like empty_strided new_empty new_empty_strided empty_permuted resize_ resize_as_ set_".split())
GATHERING = frozenset("index index_select gather take embedding".split())
WRITING = frozenset("copy_ fill_ zero_ normal_ uniform_ random_ bernoulli_ exponential_".split())
"""They overwrite their first argument without reading it."""
UPDATING = frozenset("scatter_add_ index_add_ scatter_ index_copy_ scatter_reduce_ index_put_ _index_put_impl_".split())
"""They read and write only the elements that they are sent to."""


@dataclass(frozen=True)
class OperationCost:
    """Of one call of an operation.

    Attributes:
        launches: 1 where a GPU would launch a kernel: not for memory that is only allocated, or a number copied to the host.
        casts: ``from->to`` of every operand that was converted.
        sync: the host waits for the result.
    """

    name: str
    launches: int
    multiply_adds: int
    bytes_moved: int
    casts: tuple[str, ...]
    sync: bool


def tensors_in(value: Any) -> list[torch.Tensor]:
    """Every tensor in an operation's arguments or results."""
    tensors: list[torch.Tensor] = []
    _collect(value, tensors)
    return tensors


def _collect(value: Any, tensors: list[torch.Tensor]) -> None:
    if isinstance(value, torch.Tensor):
        tensors.append(value)
    elif isinstance(value, (list, tuple)):
        for item in value:
            if isinstance(item, (torch.Tensor, list, tuple)):
                _collect(item, tensors)
    elif isinstance(value, dict):
        for item in value.values():
            _collect(item, tensors)


def distinct_bytes(tensor: torch.Tensor) -> int:
    """Bytes behind a tensor; a broadcast axis (stride 0) is in memory once."""
    count = 1
    for size, stride in zip(tensor.shape, tensor.stride(), strict=True):
        count *= size if stride else min(size, 1)
    return count * tensor.element_size()


@functools.cache
def _mutates(func: Any) -> bool:
    """Whether an overload writes into an argument; those that change only its shape do not."""
    return bool(func._schema.is_mutable) and torch.Tag.inplace_view not in func.tags


def cost_of(
    func: Any,
    args: tuple[Any, ...],
    kwargs: dict[str, Any],
    given: Sequence[torch.Tensor],
    result: Any,
    made: Sequence[torch.Tensor],
    known: set[int],
) -> OperationCost | None:
    """What a call cost; None where it is free: a view, a query of shapes, an operation on no elements.

    Args:
        given, made: the tensors among its arguments and in its result.
        known: storages of its arguments.

    Bytes: every argument read once and every result written once, a broadcast axis once, gathers and scatters by what they touch.
    """
    operation = operation_of(func)
    name, mutates = operation.name, _mutates(func)
    sync = _waits(name, args, given, made)
    fresh = [t for t in made if t.untyped_storage()._cdata not in known and t.numel()]
    if not (fresh or sync or (mutates and any(t.numel() for t in given))):
        return None
    if name in ALLOCATING:
        return OperationCost(name, 0, 0, 0, (), False)
    computed = next(floats(result), None)
    work = multiply_adds(operation, args, computed) if computed is not None and operation.rounds else 0
    written = tensors_in(kwargs.get("out")) if mutates else []
    moved = sum(map(distinct_bytes, tensors_in(args) + written)) if written else _bytes(name, given, fresh, mutates)
    return OperationCost(name, 0 if name == "_local_scalar_dense" else 1, work, moved, _casts(name, given, made, computed), sync)


def _bytes(name: str, given: Sequence[torch.Tensor], fresh: Sequence[torch.Tensor], mutates: bool) -> int:
    written = sum(distinct_bytes(t) for t in fresh)
    if name in GATHERING and given:
        return sum(map(distinct_bytes, given[1:])) + min(distinct_bytes(given[0]), written) + written
    if not mutates or not given:
        return sum(map(distinct_bytes, given)) + written
    target, others = distinct_bytes(given[0]), sum(map(distinct_bytes, given[1:]))
    if name in WRITING:
        return others + target
    if name in UPDATING and len(given) > 1:
        source = given[-1].numel() * given[0].element_size()
        target = min(target, source)
    return others + 2 * target + written


def _casts(name: str, given: Sequence[torch.Tensor], made: Sequence[torch.Tensor], computed: torch.Tensor | None) -> tuple[str, ...]:
    """Conversions by copying, of any types; and floating-point operands that an operation promotes on the way."""
    if name in ("_to_copy", "copy_"):
        source, target = (given[0], made[0]) if name == "_to_copy" else (given[-1], given[0])
        return (f"{name_of(source.dtype)}->{name_of(target.dtype)}",) if source.dtype != target.dtype and target.numel() else ()
    if computed is None:
        return ()
    return tuple(f"{name_of(t.dtype)}->{name_of(computed.dtype)}" for t in floats(given) if t.dim() and t.dtype != computed.dtype)


def _waits(name: str, args: tuple[Any, ...], given: Sequence[torch.Tensor], made: Sequence[torch.Tensor]) -> bool:
    if name in SYNCING:
        return True
    if name in ("index", "index_put", "index_put_", "_index_put_impl_") and len(args) > 1:
        return any(t.dtype in (torch.bool, torch.uint8) for t in tensors_in(args[1]))  # a mask's positions are looked up first
    if name == "repeat_interleave":
        return len(given) == 1 and len(args) < 2  # without the length of its result
    if name == "_to_copy":
        return given[0].device.type != "cpu" and made[0].device.type == "cpu"
    return name == "copy_" and len(given) > 1 and given[1].device.type != "cpu" and given[0].device.type == "cpu"
