"""Proof that a twin acted, and the one exact no-op that several twins are made of."""

from __future__ import annotations

import contextlib
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import torch

Twin = Callable[..., contextlib.AbstractContextManager[None]]
"""Called with the session, an :class:`Acts` and arguments; a legitimate change while the context lasts."""

PARTS = 3
"""Significands of 24 bits that one of 53 bits needs: of two, 48 bits, the remainder would be 16 roundings of float64."""


@dataclass
class Acts:
    """How often the changed code of a twin ran, beyond what its condition let through to the original."""

    calls: int = 0

    def __call__(self) -> None:
        """Once more."""
        self.calls += 1


def wide(t: torch.Tensor) -> torch.Tensor:
    """A 16-bit tensor in float32, a wider one as it is."""
    return t.float() if t.dtype in (torch.bfloat16, torch.float16) else t


class _Parts(torch.autograd.Function):
    @staticmethod
    def forward(ctx: Any, x: torch.Tensor) -> torch.Tensor:
        parts, rest = [], x
        for _ in range(PARTS):
            parts.append(rest.float())
            rest = rest - parts[-1].to(x.dtype)
        total = parts[-1].to(x.dtype)
        for part in reversed(parts[:-1]):
            total = total + part.to(x.dtype)
        return total

    @staticmethod
    def backward(ctx: Any, grad: torch.Tensor) -> torch.Tensor:
        return grad  # through the casts it would be rounded to float32, and no twin but a fault


def in_three_parts(x: torch.Tensor) -> torch.Tensor:
    """The same tensor by way of float32: a leading part and two remainders, added up from the smallest; exact in float64.

    Remainders below float32's smallest number (1e-45) are lost.
    """
    found: torch.Tensor = _Parts.apply(x)  # type: ignore[no-untyped-call]
    return found
