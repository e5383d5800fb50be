"""What can round in one subject of a whole model, in the parts that a policy's formats set apart, and a Monte Carlo disturbance of each.

Same arithmetic as the blocks' (:mod:`mpcheck.reference.noise`): ``1 + eta * xi``, ``xi`` a hash of the value. The parts are coarser than a
block's components, because each costs calls of the whole model; and a sum or product that gives back one of its arguments (coordinates plus a
strain of zero) is exact, which in a block's own scale hardly shows and in a model's forces would.
"""

from __future__ import annotations

import functools
from collections.abc import Collection
from typing import Any, Literal

import torch

from mpcheck.formats import Component
from mpcheck.policy.isolation import Treatment
from mpcheck.reference.noise import ETA, NoiseMode, perturb
from mpcheck.reference.operations import exact_scaling, operation_of
from mpcheck.reference.sums import sum_noise

Part = Literal["given", "operand", "product", "operation", "sums", "gather"]
PARTS: tuple[Part, ...] = ("given", "operand", "product", "operation", "sums", "gather")
"""given: arguments and cotangents, as a cast rounds them · operand: of matrix products, rounded anew · product, operation: results of matrix
products, and of all other operations · sums: partial sums and what happens inside fused operations · gather: partial sums of the backward of
indexing, which a CPU keeps in the storage type.
"""
_GIVES_BACK = frozenset("add add_ sub sub_ mul mul_ div div_".split())


def parts_of(present: Collection[Component], cast: bool) -> list[Part]:
    """Parts of a subject by its census; ``cast``: a policy can give it a format other than what it is given comes in."""
    found: set[Part] = {"given"} if cast else set()
    found |= {p for p in ("operand", "product", "operation", "gather") if p in present}  # type: ignore[misc]  # literals of both
    if {"inner", "scatter"} & set(present):
        found.add("sums")
    return [p for p in PARTS if p in found]


def treatment(part: Part, seed: int) -> Treatment:
    """One draw of one part's noise."""
    if part == "given":
        return Treatment(given=lambda t: perturb(t, seed))
    return Treatment(mode=functools.partial(_MODES[part], seed))


class _Results(NoiseMode):
    """Results of products, or of all other operations; none where an argument comes back as it was."""

    def __init__(self, component: Component, seed: int) -> None:
        super().__init__(component, seed)

    def __torch_dispatch__(self, func: Any, types: Any, args: Any = (), kwargs: Any = None) -> Any:
        operation = operation_of(func)
        before = args[0].clone() if operation.in_place and operation.name in _GIVES_BACK else None
        result = func(*args, **(kwargs or {}))
        if not operation.rounds or operation.product != (self.component == "product") or exact_scaling(operation.name, args):
            return result
        if operation.name not in _GIVES_BACK or not isinstance(result, torch.Tensor):
            return self._added(operation, result)
        return _where_new(result, perturb(result, self.seed), [before if operation.in_place else args[0], *args[1:2]], operation.in_place)


def _where_new(exact: torch.Tensor, noisy: torch.Tensor, arguments: list[Any], in_place: bool) -> torch.Tensor:
    """The noisy result, but for elements that equal one of the arguments."""
    for argument in arguments:
        if isinstance(argument, torch.Tensor) and argument.dtype == exact.dtype:
            noisy = torch.where(exact == argument, exact, noisy)
    return exact.copy_(noisy) if in_place else noisy


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
        return sum_noise(func, operation.name, args, kwargs, result, self.seed, ETA)


_MODES: dict[Part, Any] = {
    "operand": functools.partial(NoiseMode, "operand"),
    "product": functools.partial(_Results, "product"),
    "operation": functools.partial(_Results, "operation"),
    "sums": _Sums,
    "gather": functools.partial(NoiseMode, "gather"),
}
