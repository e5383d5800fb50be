"""Twins of faults of heads."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Any

import torch

from mpcheck.adapters.upstream import mace
from mpcheck.sessions.run import Session
from tests.faults.patches.planting import exchanged, patch
from tests.faults.twins.acting import Acts


@patch
def heads_looked_up_by_atom(session: Session, acts: Acts) -> Iterator[None]:
    """The index of every atom's head goes through a one-hot row."""

    def make(original: Callable[..., Any]) -> Callable[..., Any]:
        def call(*args: Any, **kwargs: Any) -> Any:
            acts()
            context = original(*args, **kwargs)
            rows = torch.nn.functional.one_hot(context.node_heads)
            return context._replace(node_heads=rows.argmax(1).to(context.node_heads.dtype))

        return call

    with exchanged(mace.modules.models, "prepare_graph", make):
        yield


@patch
def scale_and_shift_gathered(session: Session, acts: Acts) -> Iterator[None]:
    """Scale and shift of every atom are gathered before they are used."""

    def make(original: Callable[..., Any]) -> Callable[..., Any]:
        def forward(self: Any, x: torch.Tensor, head: torch.Tensor) -> Any:
            acts()
            scale, shift = (torch.atleast_1d(table).index_select(0, head) for table in (self.scale, self.shift))
            return scale * x + shift

        return forward

    with exchanged(mace.modules.blocks.ScaleShiftBlock, "forward", make):
        yield
