"""Everything that rounds takes noise in one draw, and nothing else does."""

from __future__ import annotations

import torch

from mpcheck.reference.noise import ETA, seed_of
from mpcheck.reference.whole_noise import WholeNoise

X = torch.rand(30, 30, dtype=torch.float64, generator=torch.Generator().manual_seed(8)) + 0.5


def test_exact_operations_take_none() -> None:
    with WholeNoise(seed_of(1)):
        same = [X * 2, -X, X.T.contiguous(), torch.cat([X, X])[:30], X / 0.5]
    assert all(torch.equal(a, b) for a, b in zip(same, [X * 2, -X, X.T, X, X * 2], strict=True))


def test_results_and_partial_sums_take_it() -> None:
    with WholeNoise(seed_of(1)):
        product, total = X * 0.3, X.sum(1)
    assert 0 < float((product / (X * 0.3) - 1).abs().max()) <= 1.01 * ETA
    gap = (total / X.sum(1) - 1).abs() / ETA
    assert float(gap.max()) > 1.5, "thirty partial sums round more than one result"


def test_draws_repeat_by_seed_and_differ_between_seeds() -> None:
    def draw(seed: int) -> torch.Tensor:
        with WholeNoise(seed):
            return (X @ X).sin()

    assert torch.equal(draw(1), draw(1)) and not torch.equal(draw(1), draw(2))
