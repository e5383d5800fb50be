"""Reads that no operation shows are counted by the methods that make them, and the methods are put back."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable
from typing import Any

import numpy as np
import pytest
import torch

from mpcheck.bench.cost.fingerprint import counted
from mpcheck.bench.cost.round_trips import MOVES, READS, counted_reads

A = torch.arange(12.0).reshape(3, 4)


@pytest.mark.parametrize(
    ("call", "trips"),
    [
        (lambda: A.numpy(), {"numpy": 1}),
        (lambda: np.asarray(A), {"numpy": 1}),
        (lambda: A.cpu(), {"cpu": 1}),
        (lambda: A.to("cpu"), {"cpu": 1}),
        (lambda: A.to(device="cpu:0"), {"cpu": 1}),
        (lambda: A.tolist(), {"tolist": 1}),
        (lambda: np.from_dlpack(A), {"__dlpack__": 1}),
        (lambda: torch.from_numpy(A.cpu().numpy()), {"cpu": 1, "numpy": 1}),
        (lambda: [A.sum().item(), int(A[0, 0]), bool(A[0, 0] > 0), float(A[0, 1])], {"_local_scalar_dense": 4}),
        (lambda: range(torch.tensor(3)), {"_local_scalar_dense": 1}),
        (lambda: A[A > 3], {"index": 1}),
        (lambda: A.masked_select(A > 3), {"masked_select": 1}),
        (lambda: (A > 3).nonzero(), {"nonzero": 1}),
        (lambda: torch.where(A > 3), {"nonzero": 1}),
        (lambda: A.unique(), {"_unique2": 1}),
        (lambda: A.to(torch.float64).to(A.device).to(A), {}),
        (lambda: torch.where(A > 3, A, 0.0).sum(0).clone()[:2], {}),
    ],
)
def test_round_trips_of_a_call(call: Callable[[], Any], trips: dict[str, int]) -> None:
    assert counted(call).round_trips == trips


class _ReadsItsGradient(torch.autograd.Function):
    @staticmethod
    def forward(ctx: Any, x: torch.Tensor) -> torch.Tensor:
        return x.clone()

    @staticmethod
    def backward(ctx: Any, grad: torch.Tensor) -> torch.Tensor:
        return torch.from_numpy(grad.numpy())


def test_a_backward_pass_is_counted_too() -> None:
    x = A.clone().requires_grad_()
    assert counted(lambda: torch.autograd.grad(_ReadsItsGradient.apply(x).sum(), x)).round_trips == {"numpy": 1}


def test_methods_are_put_back_also_where_the_call_raises() -> None:
    before = {name: (getattr(torch.Tensor, name), name in vars(torch.Tensor)) for name in (*READS, MOVES)}
    with pytest.raises(RuntimeError, match="requires grad"), counted_reads(Counter()):
        A.clone().requires_grad_().numpy()
    assert {name: (getattr(torch.Tensor, name), name in vars(torch.Tensor)) for name in (*READS, MOVES)} == before
