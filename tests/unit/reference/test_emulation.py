"""One rounding per operation is emulated to the bit."""

from __future__ import annotations

import torch

from mpcheck.reference.emulation import SingleRounding


def test_the_emulation_is_bfloat16_to_the_bit() -> None:
    generator = torch.Generator().manual_seed(2)
    x, w = (torch.randn(s, generator=generator, dtype=torch.float64).bfloat16() for s in ((64, 32), (32, 16)))

    def code(x: torch.Tensor, w: torch.Tensor) -> torch.Tensor:
        y = torch.nn.functional.silu(x @ (w / 3)) * 1.7
        y += torch.ones(16, dtype=x.dtype) / 7
        return y.reshape(8, -1).sum(0)

    with SingleRounding(torch.bfloat16):
        emulated = code(x.double(), w.double())
    assert torch.equal(emulated, code(x, w).double())
