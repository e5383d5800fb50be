"""What can round in one subject of a whole model, in the parts that a policy's formats set apart, and a Monte Carlo disturbance of each.

Same arithmetic as the blocks' (:mod:`mpcheck.reference.noise`): ``1 + eta * xi``, ``xi`` a hash of the value. The parts are coarser than a
block's components, because each costs calls of the whole model; and a sum or product that gives back one of its arguments (coordinates plus a
strain of zero) is exact, which in a block's own scale hardly shows and in a model's forces would.
"""

from __future__ import annotations

import functools
from collections.abc import Collection, Mapping
from types import MappingProxyType
from typing import Any, Literal

import torch

from mpcheck.adapters.backends.casting import tensors_of
from mpcheck.adapters.backends.cueq_math import math_dtypes
from mpcheck.formats import Component
from mpcheck.policy.noise.isolation import Treatment
from mpcheck.reference.noise import ETA, NoiseMode, perturb
from mpcheck.reference.operations import exact_scaling, operation_of
from mpcheck.reference.sums import sum_noise

Part = Literal["given", "operand", "result", "sums", "gather"]
DRAWS: Mapping[Part, int] = MappingProxyType({"given": 2, "operand": 2, "result": 3, "sums": 2, "gather": 2})
"""Draws of each part. given: arguments and cotangents, as a cast rounds them · operand: of matrix products, rounded anew, but for stored weights ·
result: of operations · sums: partial sums and what happens inside fused operations · gather: partial sums of the backward of indexing, which a CPU
keeps in the storage type.
"""
_GIVES_BACK = frozenset("add add_ sub sub_ mul mul_ div div_".split())


_SELECTS = frozenset("mm bmm".split())


def parts_of(present: Collection[Component], cast: bool) -> tuple[Part, ...]:
    """Parts of a subject by its census; ``cast``: a policy can give it a format other than what it is given comes in."""
    components: dict[Part, set[Component]] = {
        "operand": {"operand"}, "result": {"product", "operation"}, "sums": {"inner", "scatter"}, "gather": {"gather"},
    }  # fmt: skip
    found = [part for part, own in components.items() if own & set(present)]
    return ("given", *found) if cast else tuple(part for part in found if part != "operand")


def treatment(part: Part, seed: int, module: torch.nn.Module | None = None) -> Treatment:
    """One draw of one part's noise in a subject; ``module``: of a leaf, which tells its stored weights, and whether it computes wider inside."""
    if part == "given":
        return Treatment(given=lambda t: perturb(t, seed))
    if part == "result" and module is not None and math_dtypes(module):
        return Treatment(returned=lambda t: perturb(t, seed))
    if part == "operand":
        weights = frozenset() if module is None else frozenset(t.untyped_storage().data_ptr() for t in tensors_of(module))
        return Treatment(mode=lambda: _Operands(seed, weights))
    if part == "gather":
        return Treatment(mode=lambda: NoiseMode("gather", seed))
    return Treatment(mode=functools.partial(_Results if part == "result" else _Sums, seed))


def given_back(name: str, args: Any, result: torch.Tensor) -> torch.Tensor | None:
    """Which elements of a result are numbers that were there before: coordinates plus a strain of zero, a vector of the cell times one period, a row
    of a table times a one-hot vector. None where none can be.
    """
    tensors = [a for a in args[:2] if isinstance(a, torch.Tensor) and a.dtype == result.dtype]
    found: list[torch.Tensor] = []
    if name in _GIVES_BACK:
        found = [result == argument for argument in tensors]
    elif name in _SELECTS and len(tensors) == 2:
        left, right = _selects(tensors[0], -1), _selects(tensors[1], -2)
        found = [mask.expand(result.shape) for mask in (left, right) if mask is not None]
    return functools.reduce(torch.logical_or, found) if found else None


def _selects(operand: torch.Tensor, along: int) -> torch.Tensor | None:
    """Which rows (or columns) of a matrix hold one number of magnitude one at most, and zeros; None where no row does."""
    sizes = operand.abs()
    if not bool(((sizes == 0) | (sizes == 1)).all()):
        return None
    return sizes.sum(along, keepdim=True) <= 1


class _Operands(NoiseMode):
    """Operands of matrix products, but for stored weights, whose rounding is known."""

    def __init__(self, seed: int, weights: Collection[int]) -> None:
        super().__init__("operand", seed)
        self.weights = weights

    def _operand(self, value: Any) -> Any:
        if isinstance(value, torch.Tensor) and value.untyped_storage().data_ptr() in self.weights:
            return value
        return super()._operand(value)


class _Results(NoiseMode):
    """Results of operations; none where an argument comes back as it was."""

    def __init__(self, seed: int) -> None:
        super().__init__("operation", seed)

    def __torch_dispatch__(self, func: Any, types: Any, args: Any = (), kwargs: Any = None) -> Any:
        operation = operation_of(func)
        before = (args[0].clone(), *args[1:]) if operation.in_place and isinstance(args[0], torch.Tensor) else args
        result = func(*args, **(kwargs or {}))
        if not operation.rounds or exact_scaling(operation.name, args):
            return result
        if not isinstance(result, torch.Tensor) or (same := given_back(operation.name, before, result)) is None:
            return self._added(operation, result)
        noisy = torch.where(same, result, perturb(result, self.seed))
        return result.copy_(noisy) if operation.in_place else noisy


class _Sums(NoiseMode):
    """Partial sums of products, reductions and scatters, and the steps of fused operations."""

    def __init__(self, seed: int) -> None:
        super().__init__("inner", seed)

    def __torch_dispatch__(self, func: Any, types: Any, args: Any = (), kwargs: Any = None) -> Any:
        kwargs = kwargs or {}
        operation = operation_of(func)
        if operation.steps is not None:
            return super().__torch_dispatch__(func, types, args, kwargs)
        result = func(*args, **kwargs)
        if operation.sums not in ("inner", "scatter"):
            return result
        noisy = sum_noise(func, operation.name, args, kwargs, result, self.seed, ETA)
        if operation.name not in _SELECTS:
            return noisy
        noisy = torch.lerp(result, noisy, _filled(*args[:2]).expand(result.shape))
        same = given_back(operation.name, args, result)
        return noisy if same is None else torch.where(same, result, noisy)


def _filled(left: torch.Tensor, right: torch.Tensor) -> torch.Tensor:
    """Root of the part of a product's terms that are not zero, the addition of which is exact: of rows or columns, whichever have fewer."""
    rows = (left != 0).to(left.dtype).mean(-1, keepdim=True)
    columns = (right != 0).to(right.dtype).mean(-2, keepdim=True)
    return torch.minimum(rows, columns).sqrt_()
