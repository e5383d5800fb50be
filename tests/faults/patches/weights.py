"""Faults of stored numbers: weights, tables and buffers in another type than the model's, now or once."""

from __future__ import annotations

import contextlib
from collections.abc import Callable, Iterator
from typing import Any

import torch

from mpcheck.adapters.backends.casting import replaced
from mpcheck.adapters.upstream import mace, o3
from mpcheck.sessions.run import Session
from tests.faults.patches.planting import dtype_named, exchanged, patch


@patch
def weights_once_in(session: Session, dtype: str) -> Iterator[None]:
    """The float64 model's parameters went through a narrower type when it was made or edited."""
    narrow = dtype_named(dtype)
    with replaced(session.reference_backend.model, lambda t: t.to(narrow).to(t.dtype) if isinstance(t, torch.nn.Parameter) else t):
        yield


@patch
def tables_once_in(session: Session, dtype: str) -> Iterator[None]:
    """Clebsch-Gordan tables of tensor products were built in a narrower type and cast up afterwards."""
    narrow = dtype_named(dtype)
    with contextlib.ExitStack() as stack:
        for module in session.reference_backend.model.modules():
            if isinstance(module, o3.TensorProduct):
                tables = replaced(module, lambda t: t if isinstance(t, torch.nn.Parameter) or not t.is_floating_point() else t.to(narrow).to(t.dtype))
                stack.enter_context(tables)
        yield


@patch
def buffer_left_behind(session: Session) -> Iterator[None]:
    """One block does not follow ``model.to(dtype)``: its tensors stay in the type in which it was made."""

    def make(original: Callable[..., Any]) -> Callable[..., Any]:
        return lambda self, function, recurse=True: self

    with exchanged(mace.modules.blocks.ScaleShiftBlock, "_apply", make):
        yield


@patch
def contraction_tables_turned(session: Session, order: int) -> Iterator[None]:
    """Coefficients of a symmetric contraction, for one operand's l = 1 components in another order than for the others."""
    from mace.modules.symmetric_contraction import Contraction

    turned = [0, 2, 3, 1]
    before: list[tuple[Any, str, torch.Tensor]] = []
    name = f"U_matrix_{order}"
    for module in session.reference_backend.model.modules():
        if isinstance(module, Contraction) and name in module._buffers:
            table = module._buffers[name]
            assert table is not None
            axis = table.dim() - 2
            index = torch.tensor([*turned, *range(4, table.shape[axis])])
            before.append((module, name, table))
            module._buffers[name] = table.index_select(axis, index)
    try:
        yield
    finally:
        for module, where, table in before:
            module._buffers[where] = table
