"""Every aten operation is seen, also of scripted code and of the backward pass."""

from __future__ import annotations

from typing import Any

import torch

from mpcheck.reference.dispatch import DispatchMode
from mpcheck.reference.operations import packet_name


class Seen(DispatchMode):
    def __init__(self) -> None:
        super().__init__()
        self.names: list[str] = []

    def __torch_dispatch__(self, func: Any, types: Any, args: Any = (), kwargs: Any = None) -> Any:
        self.names.append(packet_name(func))
        return func(*args, **(kwargs or {}))


@torch.jit.script
def scripted(x: torch.Tensor) -> torch.Tensor:
    return torch.sin(x)


def test_operations_of_both_directions_are_seen() -> None:
    x = torch.ones(3, dtype=torch.float64, requires_grad=True)
    with Seen() as seen:
        torch.autograd.grad(scripted(x).sum(), x)
    assert "sin" in seen.names and "cos" in seen.names
    count = len(seen.names)
    torch.sin(x)
    assert len(seen.names) == count
