"""Inputs towards the end of a format's range: value, first and second derivative of every block stay finite.

An activation written with exp(-x) is right wherever exp(-x) is representable, and NaN beyond: float16 ends at x = -11, float32 at -88.
A block may overflow for good reasons too, which are polynomial: x^8 of an envelope, products of three features. Both are told
apart in float64: the largest result on the way that does *not* come from an exponential must lie well within the format's
range. Then nothing but an exponential of the block's own making can have left it.
"""

from __future__ import annotations

import math
from collections.abc import Iterator
from dataclasses import dataclass, replace
from typing import Any
from weakref import WeakKeyDictionary

import torch

from mpcheck.adapters.backends.protocol import BackendModel
from mpcheck.adapters.tree import map_tensors
from mpcheck.checks.physics.differences import BlockFunction
from mpcheck.checks.physics.small import CalledBlock
from mpcheck.formats import FLOAT64, Format
from mpcheck.judge.context import Context
from mpcheck.reference.dispatch import DispatchMode
from mpcheck.reference.noise import largest
from mpcheck.reference.operations import operation_of

EXPONENTIALS = frozenset({"exp", "exp_", "exp2", "exp2_", "expm1", "expm1_", "sinh", "cosh", "special_expm1", "special_exp2"})
ROOM = 16.0  # between results on the way in float64 and the format's largest number: backends add in other orders
ROOTS = (4.0, 5.5, 8.0, 11.0, 16.0, 32.0)  # of the largest number: the highest that leaves room for what the block computes; the square of the first
# is representable, which operations that add squares inside (norms) need

_peaks: WeakKeyDictionary[Context, dict[tuple[str, float], float]] = WeakKeyDictionary()


def _stored(value: Any) -> bool:
    """Whether there is memory behind a value: autograd's zeros, of the second derivative of abs(x) say, have none."""
    return isinstance(value, torch.Tensor) and value.numel() > 0 and not torch._is_zerotensor(value)


class Peak(DispatchMode):
    """The largest magnitude among results that do not come from an exponential, which is told by memory that they share."""

    def __init__(self) -> None:
        super().__init__()
        self.peak = 0.0
        self.tainted: dict[int, Any] = {}  # holding storages keeps their addresses from being reused

    def _from_exponential(self, values: Any) -> bool:
        for value in values:
            if isinstance(value, (list, tuple)):
                if self._from_exponential(value):
                    return True
            elif _stored(value) and value.untyped_storage().data_ptr() in self.tainted:
                return True
        return False

    def __torch_dispatch__(self, func: Any, types: Any, args: Any = (), kwargs: Any = None) -> Any:
        kwargs = kwargs or {}
        result = func(*args, **kwargs)
        operation = operation_of(func)
        if operation.name in EXPONENTIALS or self._from_exponential((*args, *kwargs.values())):
            for value in result if isinstance(result, (list, tuple)) else (result,):
                if _stored(value):
                    storage = value.untyped_storage()
                    self.tainted[storage.data_ptr()] = storage
        elif operation.rounds and _stored(result):
            size = largest(result)
            self.peak = max(self.peak, size if size == size else math.inf)
        return result


def peak_of(context: Context, seen: CalledBlock, size: float) -> float:
    """The largest result in float64 on the way to value, first and second derivative, exponentials apart, of the reference backend.

    Measured once for all backends and formats.

    Args:
        size: of the inputs, which tells one place of a block from another.
    """
    held = _peaks.setdefault(context, {})
    if (seen.block.name, size) not in held:
        with context.reference_backend.prepared(seen.block, FLOAT64), Peak() as mode:
            BlockFunction(context.reference_backend, seen, context.seed).derivative(2)
        held[seen.block.name, size] = mode.peak
    return held[seen.block.name, size]


def enlarged(seen: CalledBlock, size: float) -> CalledBlock:
    """Every row of every input scaled to a largest magnitude; indicators of zeros and ones stay, and what is no number."""

    def grown(t: torch.Tensor) -> torch.Tensor:
        if not t.dim() or not t.numel() or bool(((t == 0) | (t == 1)).all()):
            return t
        rows = t.abs().reshape(len(t), -1).amax(1).reshape(-1, *[1] * (t.dim() - 1))
        return torch.where(rows > 0, t / rows.clamp_min(torch.finfo(t.dtype).tiny) * size, t)

    return replace(seen, inputs=map_tensors(grown, seen.inputs))


@dataclass(frozen=True)
class EvaluationPoint:
    """Where a block is evaluated, for one format.

    Attributes:
        size: largest magnitude of its inputs; 0 as the model gives them.
    """

    seen: CalledBlock
    size: float = 0.0


def places(context: Context, seen: CalledBlock, fmt: Format) -> Iterator[EvaluationPoint]:
    """The block's own inputs where they leave room, and the largest that do."""
    if peak_of(context, seen, 0.0) * ROOM <= fmt.largest:
        yield EvaluationPoint(seen)
    for root in ROOTS:
        size = 2.0 ** round(math.log2(fmt.largest) / root)
        large = enlarged(seen, size)
        if peak_of(context, large, size) * ROOM <= fmt.largest:
            yield EvaluationPoint(large, size)
            return


def lost(backend: BackendModel, place: EvaluationPoint, fmt: Format, seed: int) -> str:
    """What is not finite in a format that float64 shows to be representable; empty where all is.

    Raises:
        RuntimeError, NotImplementedError: an operation that torch lacks in the format.
    """
    low = replace(place.seen, inputs=map_tensors(lambda t: t.to(device=backend.device, dtype=fmt.storage), place.seen.inputs))
    with backend.prepared(low.block, fmt):
        derivative = BlockFunction(backend, low, seed).derivative(2)
    kinds = {"value": derivative.outputs, "first derivative": derivative.first, "second derivative": derivative.by}
    where = f"at inputs of {place.size:.3g}" if place.size else "at the inputs that the model gives"
    for what, tensors in kinds.items():
        for name, tensor in tensors.items():
            if not bool(torch.isfinite(tensor).all()):
                count = int((~torch.isfinite(tensor)).sum())
                named = f" ({name})" if what == "value" else f" by {name}"
                return f"{what}{named} is not finite in {fmt.name} {where}: {count} of {tensor.numel()} elements"
    return ""
