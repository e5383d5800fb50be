"""Faults of heads: a structure gets what belongs to another structure's head."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Any

import torch

from mpcheck.adapters.upstream import mace
from mpcheck.sessions.run import Session
from tests.faults.patches.planting import exchanged, patch


@patch
def head_of_the_first_structure(session: Session) -> Iterator[None]:
    """The index of the head is read once and holds for the whole batch."""

    def make(original: Callable[..., Any]) -> Callable[..., Any]:
        def call(*args: Any, **kwargs: Any) -> Any:
            context = original(*args, **kwargs)
            return context._replace(node_heads=context.node_heads[:1].expand_as(context.node_heads))

        return call

    with exchanged(mace.modules.models, "prepare_graph", make):
        yield


@patch
def scaled_as_the_first_head(session: Session) -> Iterator[None]:
    """Scale and shift are those of the first atom's head; E0 and readouts are each structure's own."""

    def make(original: Callable[..., Any]) -> Callable[..., Any]:
        def forward(self: Any, x: torch.Tensor, head: torch.Tensor) -> Any:
            return original(self, x, head[:1].expand_as(head))

        return forward

    with exchanged(mace.modules.blocks.ScaleShiftBlock, "forward", make):
        yield
