"""What a policy rounds, in float64 and without its kernels: one block in 16 bits, or a whole model.

Each stored number, argument and result is rounded once, which no sound arithmetic of the format does better than; sums are wide, but for the
gradient of indexing, which a CPU adds up in 16 bits. What equal atoms
have in common is rounded alike in every structure, and makes the energy of all of them err by the same number: random draws know its size, an
emulation its value.
"""

from __future__ import annotations

import contextlib
import functools
from collections.abc import Mapping
from typing import Any

import torch

from mpcheck.adapters.backends.cueq_math import math_dtypes
from mpcheck.formats import F32, F64, FORMATS, NARROW, WIDE, Storage
from mpcheck.judge.emulate import round_significand
from mpcheck.policy.noise import known_rounding
from mpcheck.policy.noise.isolation import BETWEEN, Change, Isolation, Treatment, unchanged
from mpcheck.policy.rules import BlockFormat, Policy, carrier
from mpcheck.policy.running.autocast import Emulation
from mpcheck.reference.emulation import SingleRounding
from mpcheck.reference.operations import operation_of


class AddedRounding(SingleRounding):
    """Rounds what is added, and what that gives: cuEquivariance's polynomials take each path in their inner type, cast it, and add the paths up."""

    def __torch_dispatch__(self, func: Any, types: Any, args: Any = (), kwargs: Any = None) -> Any:
        operation = operation_of(func)
        if operation.name not in ("add", "add_"):
            return func(*args, **(kwargs or {}))
        kept = 1 if operation.in_place else 0  # what is written into, and holds numbers of the type already
        return super().__torch_dispatch__(func, types, (*args[:kept], *map(self._rounded, args[kept:])), kwargs)


class SerialGathers(SingleRounding):
    """Adds up the gradient of indexing one row after the other, rounding each partial sum, as a CPU does in 16 bits.

    That of a cell is a sum over all edges. Edges that symmetry makes alike add alike to it, and lose alike what lies below half a unit of the
    partial sum: of rattled diamond in float16 the stress errs four times as much as by what is rounded once, and with one sign.
    """

    def __torch_dispatch__(self, func: Any, types: Any, args: Any = (), kwargs: Any = None) -> Any:
        if operation_of(func).sums == "gather" and (rows := _rows(args, kwargs or {})) is not None:
            return serial(self._rounded, args[0], *rows)
        return super().__torch_dispatch__(func, types, args, kwargs)


def _rows(args: Any, kwargs: Any) -> tuple[torch.Tensor, torch.Tensor] | None:
    """Where the rows of ``index_put(..., accumulate=True)`` are added, and the rows; None of anything else, and where several indices say it."""
    if len(args) < 3 or not (args[3] if len(args) > 3 else kwargs.get("accumulate", False)) or args[0].dtype != torch.float64:
        return None
    where = args[1]
    if len(where) != 1 or where[0] is None or where[0].dtype != torch.int64 or where[0].dim() != 1:
        return None
    return where[0], args[2].expand(len(where[0]), *args[0].shape[1:])


def serial(rounded: Change, into: torch.Tensor, where: torch.Tensor, rows: torch.Tensor) -> torch.Tensor:
    """Rows added to places one after the other in their order, each sum rounded; of another place at the same time, for they do not meet."""
    total, rows = rounded(into).clone(), rounded(rows)
    order = torch.argsort(where, stable=True)
    counts = torch.bincount(where, minlength=len(total))
    turn = torch.arange(len(where), device=where.device) - (counts.cumsum(0) - counts)[where[order]]  # of each row among those of its place
    order = order[torch.argsort(turn, stable=True)]
    for now in order.split(torch.bincount(turn).tolist()) if len(where) else ():
        places = where[now]
        total[places] = rounded(total[places] + rows[now])
    return total


def once(dtype: torch.dtype) -> Change:
    """A float64 tensor rounded to a type."""
    return lambda t: t.to(dtype).to(t.dtype) if t.is_floating_point() else t


def to_bits(bits: int) -> Change:
    """A float64 tensor rounded to float32 and then to fewer significant bits, as operands in tf32 are."""
    return lambda t: round_significand(t.to(torch.float32), bits).to(t.dtype)


def in_16_bits(module: torch.nn.Module | None, storage: Storage, around: bool, device: str = "cpu") -> Treatment:
    """A block whose every number is rounded to a 16-bit type.

    Args:
        module: None of a step. around: whether what surrounds it is wider, so that what it is given is rounded anew. device: type whose kernels'
            sums are meant.
    """
    dtype: torch.dtype = getattr(torch, storage)
    rounded = once(dtype)
    given = rounded if around else unchanged
    if module is not None and math_dtypes(module):  # products in float32, cast and added up in the type
        return Treatment(lambda: AddedRounding(dtype), given, rounded, rounded)
    own = SerialGathers if FORMATS[storage].on(device)["gather"] > WIDE else SingleRounding
    return Treatment(lambda: own(dtype), given, weights=None if module is None else rounded)


def treatments(isolation: Isolation, policy: Policy, formats: Mapping[str, BlockFormat], device: str = "cpu") -> dict[str, Treatment]:
    """Of every subject that a policy runs in fewer bits than float32; autocast is a mode of the whole model's."""
    found: dict[str, Treatment] = {}
    narrow = policy.base in NARROW
    for name in isolation.leaves:
        module, fmt = isolation.model.get_submodule(name), formats.get(name, policy.default())
        if fmt.compute in NARROW:
            found[name] = in_16_bits(module, fmt.compute, not narrow, device)
        elif bits := FORMATS[fmt.compute].operand_bits:
            found[name] = Treatment(mode=functools.partial(SingleRounding, torch.float32, to_bits(bits)))
        elif fmt.interface in NARROW:
            found[name] = Treatment(returned=once(getattr(torch, fmt.interface)))
        if fmt.storage not in (carrier(fmt.compute), F32, F64):
            found[name] = _storing(module, fmt, found.get(name, Treatment()))
    if narrow:
        steps = in_16_bits(None, policy.base, False, device)  # type: ignore[arg-type]
        found |= dict.fromkeys([*isolation.steps, BETWEEN], steps)
    elif bits := FORMATS[policy.base].operand_bits:
        found[BETWEEN] = Treatment(mode=functools.partial(SingleRounding, torch.float32, to_bits(bits)))
    return found


def _storing(module: torch.nn.Module, fmt: BlockFormat, treatment: Treatment) -> Treatment:
    """With weights that are stored in fewer bits than the block computes in."""
    stored, then = known_rounding.change(module, fmt.storage), once(getattr(torch, carrier(fmt.compute)))
    weights: Change = then if stored is None else lambda t: then(stored(t))
    return Treatment(treatment.mode, treatment.given, treatment.returned, weights)


def around(policy: Policy) -> contextlib.AbstractContextManager[object]:
    """What autocast does to a whole model."""
    return Emulation(getattr(torch, policy.autocast), torch.float64) if policy.autocast else contextlib.nullcontext()
