"""Tensors of another type in modules of Python and in TorchScript, constants of its code among them."""

from __future__ import annotations

import torch

from mpcheck.adapters.facts.tensors import of_other_types


class Weighted(torch.nn.Module):
    def __init__(self, dtype: torch.dtype) -> None:
        super().__init__()
        self.register_buffer("weight", torch.ones(3, dtype=dtype))
        self.register_buffer("count", torch.ones(3, dtype=torch.long))
        self.register_buffer("number", torch.tensor(2.0, dtype=torch.float64))
        self.linear = torch.nn.Linear(3, 3)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        return self.linear(x) * self.weight + self.number


def test_modules() -> None:
    assert of_other_types(Weighted(torch.float32), torch.float32) == ["number in float64"]
    assert of_other_types(Weighted(torch.float64), torch.float32) == ["weight in float64", "number in float64"]
    assert of_other_types(Weighted(torch.float64).double(), torch.float64) == []


def test_script() -> None:
    script = torch.jit.script(Weighted(torch.float64))
    assert of_other_types(script, torch.float32) == ["weight in float64", "number in float64"]


def test_constants_of_code() -> None:
    table = torch.arange(3, dtype=torch.float64)

    class Outer(torch.nn.Module):
        def forward(self, x: torch.Tensor) -> torch.Tensor:
            return x * table

    (found,) = of_other_types(torch.jit.trace(Outer(), torch.ones(3)), torch.float32)
    assert "of the compiled code in float64" in found
