"""Twins of faults of stored numbers: kept in other pieces, computed by another formula, cast in another order."""

from __future__ import annotations

import contextlib
from collections.abc import Callable, Iterator
from fractions import Fraction
from functools import cache
from typing import Any

import torch

from mpcheck.adapters.backends.casting import replaced
from mpcheck.adapters.upstream import mace, o3
from mpcheck.sessions.run import Session
from tests.faults.patches.planting import exchanged, patch
from tests.faults.twins.acting import Acts, in_three_parts


@patch
def weights_in_three_parts(session: Session, acts: Acts) -> Iterator[None]:
    """The float64 model's parameters were stored as three float32 parts each."""

    def stored(t: torch.Tensor) -> torch.Tensor:
        if not isinstance(t, torch.nn.Parameter):
            return t
        acts()
        return in_three_parts(t)

    with replaced(session.reference_backend.model, stored):
        yield


LARGEST = 10**5
"""Denominator of a squared coupling up to l = 3: the largest is some thousands."""


@cache
def coupling(l1: int, l2: int, l3: int) -> torch.Tensor:
    """The one tensor [2 l1 + 1, 2 l2 + 1, 2 l3 + 1] of norm 1 that rotations leave as it is, up to its sign; every element rounded once.

    It spans the null space of what two rotations change (e3nn computes it from Clebsch-Gordan coefficients and a change of
    basis). The squares of its elements are fractions, as those of Wigner's 3j symbols are, so that what the null space is
    off by, several roundings, is taken out by finding them.

    Raises:
        ValueError: an element's square is not a fraction of a denominator up to ``LARGEST``.
    """
    conditions = []
    for angles in ((0.3, 1.1, -0.7), (1.9, 0.4, 2.3)):
        one, two, three = (o3.wigner_D(n, *torch.tensor(angles, dtype=torch.float64)) for n in (l1, l2, l3))
        conditions.append(torch.kron(torch.kron(one, two), three) - torch.eye((2 * l1 + 1) * (2 * l2 + 1) * (2 * l3 + 1), dtype=torch.float64))
    basis: torch.Tensor = torch.linalg.svd(torch.cat(conditions))[2]
    near = basis[-1]
    exact = torch.tensor([float(Fraction(x * x).limit_denominator(LARGEST)) ** 0.5 for x in near.tolist()], dtype=torch.float64).copysign(near)
    if not torch.allclose(exact, near, rtol=0, atol=1e-12):  # thousands of roundings; another fraction is 1e-10 off
        raise ValueError(f"the coupling of {l1}, {l2} and {l3} has elements whose squares are no small fractions")
    return exact.reshape(2 * l1 + 1, 2 * l2 + 1, 2 * l3 + 1)


def is_coupling(t: torch.Tensor) -> bool:
    """Whether a buffer is a table of couplings of norm 1; those of scalars hold nothing but 1."""
    odd = t.dim() == 3 and all(n % 2 for n in t.shape) and t.numel() > 1
    return odd and t.is_floating_point() and not isinstance(t, torch.nn.Parameter) and abs(float(t.norm()) - 1) < 1e-6


@contextlib.contextmanager
def _tables(session: Session, acts: Acts, change: Callable[[torch.Tensor], torch.Tensor]) -> Iterator[None]:
    """Clebsch-Gordan tables of the float64 model's tensor products changed."""

    def changed(t: torch.Tensor) -> torch.Tensor:
        if not is_coupling(t):
            return t
        acts()
        return change(t)

    with contextlib.ExitStack() as stack:
        for module in session.reference_backend.model.modules():
            if isinstance(module, o3.TensorProduct):
                stack.enter_context(replaced(module, changed))
        yield


@patch
def tables_by_another_formula(session: Session, acts: Acts) -> Iterator[None]:
    """Clebsch-Gordan tables of tensor products as null spaces and square roots of fractions, in float64."""

    def computed(t: torch.Tensor) -> torch.Tensor:
        made = coupling(*((n - 1) // 2 for n in t.shape)).to(t)
        return made * (made * t).sum().sign()

    with _tables(session, acts, computed):
        yield


@patch
def tables_one_rounding_off(session: Session, acts: Acts) -> Iterator[None]:
    """Clebsch-Gordan tables of tensor products whose elements are replaced by a neighbour among numbers, up or down by lot."""

    def beside(t: torch.Tensor) -> torch.Tensor:
        up = torch.rand(t.shape, generator=torch.Generator().manual_seed(t.numel())) < 0.5
        moved = torch.nextafter(t, torch.where(up, torch.inf, -torch.inf).to(t))
        return torch.where(t == 0, t, moved)

    with _tables(session, acts, beside):
        yield


@patch
def buffers_cast_one_by_one(session: Session, acts: Acts) -> Iterator[None]:
    """One block follows ``model.to(dtype)`` by code of its own: tensor by tensor, without looking below itself."""

    def make(_: Callable[..., Any]) -> Callable[..., Any]:
        def apply(self: Any, function: Callable[[torch.Tensor], torch.Tensor], recurse: bool = True) -> Any:
            acts()
            for name, buffer in self._buffers.items():
                self._buffers[name] = None if buffer is None else function(buffer)
            return self

        return apply

    with exchanged(mace.modules.blocks.ScaleShiftBlock, "_apply", make):
        yield


@patch
def contraction_axes_exchanged(session: Session, acts: Acts, order: int) -> Iterator[None]:
    """Coefficients of a symmetric contraction with two operands' axes exchanged: the operands are the same."""
    from mace.modules.symmetric_contraction import Contraction

    before: list[tuple[Any, str, torch.Tensor]] = []
    name = f"U_matrix_{order}"
    for module in session.reference_backend.model.modules():
        if isinstance(module, Contraction) and name in module._buffers:
            acts()
            table = module._buffers[name]
            assert table is not None
            before.append((module, name, table))
            module._buffers[name] = table.transpose(-2, -3).contiguous()
    try:
        yield
    finally:
        for module, where, table in before:
            module._buffers[where] = table
