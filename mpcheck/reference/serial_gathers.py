"""The gradient of indexing as a CPU adds it up in 16 bits: row by row, each partial sum rounded."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator
from typing import Any

import torch

from mpcheck.reference.emulation import SingleRounding
from mpcheck.reference.operations import LAYER_NORM_BACKWARD, operation_of, packet_name


class SerialGathers(SingleRounding):
    """Adds up the gradient of indexing one row after the other, rounding each partial sum, as a CPU does in 16 bits.

    That of a cell is a sum over all edges. Edges that symmetry makes alike add alike to it, and lose alike what lies below half a unit of the
    partial sum: of rattled diamond in float16 the stress errs four times as much as by what is rounded once, and with one sign.
    """

    def __torch_dispatch__(self, func: Any, types: Any, args: Any = (), kwargs: Any = None) -> Any:
        if operation_of(func).sums != "gather":
            return super().__torch_dispatch__(func, types, args, kwargs)
        if packet_name(func) == LAYER_NORM_BACKWARD:
            return tuple(self._layer_norm(args, super().__torch_dispatch__(func, types, args, kwargs)))
        if (found := _rows(packet_name(func), args, kwargs or {})) is None:
            return super().__torch_dispatch__(func, types, args, kwargs)
        into, where, rows = found
        return serial(self._rounded, into, where, self._rounded(rows))

    def _layer_norm(self, args: Any, result: Any) -> Iterator[Any]:
        """The gradients of a layer norm; those of its weight and bias add up all rows, in one place for each feature."""
        grad, x, shape, mean, rstd = args[:5]
        count = math.prod(grad.shape[: grad.dim() - len(shape)])
        for place, value in enumerate(result):
            if place == 0 or not isinstance(value, torch.Tensor) or not value.numel() or grad.dtype != torch.float64:
                yield value
                continue
            # a term of the weight's is a product in float32, which the sum alone rounds
            rows = (grad * (x - mean) * rstd if place == 1 else grad).reshape(count, -1)
            where = torch.zeros(count, dtype=torch.int64, device=rows.device)
            yield serial(self._rounded, rows.new_zeros(1, rows.shape[1]), where, rows).reshape(value.shape)


def _rows(name: str, args: Any, kwargs: Any) -> tuple[torch.Tensor, torch.Tensor, torch.Tensor] | None:
    """What rows are added to, where, and the rows; None of anything that is no sum of float64 rows, and where several indices say the place."""
    if args[0].dtype != torch.float64:
        return None
    if name == "embedding_dense_backward":
        rows, where, count = args[0], args[1].reshape(-1), int(args[2])
        own = where != args[3]  # a padding's row has no gradient
        rows = rows.reshape(len(where), -1)
        return None if args[4] else (rows.new_zeros(count, rows.shape[1]), where[own], rows[own])
    if len(args) < 3 or not (args[3] if len(args) > 3 else kwargs.get("accumulate", False)):
        return None
    where = args[1]
    if len(where) != 1 or where[0] is None or where[0].dtype != torch.int64 or where[0].dim() != 1:
        return None
    return args[0], where[0], args[2].expand(len(where[0]), *args[0].shape[1:])


def serial(rounded: Callable[[torch.Tensor], torch.Tensor], into: torch.Tensor, where: torch.Tensor, rows: torch.Tensor) -> torch.Tensor:
    """Rows added to places one after the other in their order, each sum rounded; of another place at the same time, for they do not meet."""
    total = rounded(into).clone()
    order = torch.argsort(where, stable=True)
    counts = torch.bincount(where, minlength=len(total))
    turn = torch.arange(len(where), device=where.device) - (counts.cumsum(0) - counts)[where[order]]  # of each row among those of its place
    order = order[torch.argsort(turn, stable=True)]
    for now in order.split(torch.bincount(turn).tolist()) if len(where) else ():
        places = where[now]
        total[places] = rounded(total[places] + rows[now])
    return total
