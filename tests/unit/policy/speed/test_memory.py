"""The most memory that a call holds."""

from __future__ import annotations

import torch

from mpcheck.bench.cost.fingerprint import counted
from mpcheck.policy.speed.memory import highest, peak_bytes, stored_bytes

CPU = torch.device("cpu")


def test_the_largest_sum_counts_not_the_last() -> None:
    assert highest([8, 8, -16, 4]) == 16 and highest([]) == 0 and highest([-8, 4]) == 0


def test_a_call_s_peak_is_what_lives_at_one_time_and_agrees_with_the_dispatcher_s_count() -> None:
    def one_after_another() -> torch.Tensor:
        for _ in range(4):
            made = torch.zeros(100_000, dtype=torch.float64)
            del made
        return torch.zeros(1)

    def together() -> torch.Tensor:
        return torch.cat([torch.zeros(100_000, dtype=torch.float64) for _ in range(4)])

    for call in (one_after_another, together):
        assert abs(peak_bytes(call, CPU) - counted(call).peak_bytes) < 10_000
    assert peak_bytes(one_after_another, CPU) < 1_000_000 < 6_000_000 < peak_bytes(together, CPU)


def test_shared_weights_count_once() -> None:
    layer = torch.nn.Linear(10, 10, bias=False)
    assert stored_bytes(torch.nn.ModuleList([layer, layer])) == 400
    assert stored_bytes(layer.to(torch.float64)) == 800
