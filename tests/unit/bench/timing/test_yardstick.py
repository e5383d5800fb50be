"""The kernels that everything is measured beside."""

from __future__ import annotations

import torch

from mpcheck.bench.timing.yardstick import KERNELS, kernels


def test_the_kernels_compute_and_leave_the_random_state_alone() -> None:
    before = torch.random.get_rng_state()
    made = kernels(torch.device("cpu"))
    assert tuple(made) == KERNELS
    for _ in range(2):
        for kernel in made.values():
            kernel()
    assert torch.equal(torch.random.get_rng_state(), before)
