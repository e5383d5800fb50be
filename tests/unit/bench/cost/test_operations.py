"""What one operation costs."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest
import torch

from mpcheck.bench.cost.fingerprint import counted

A, B = torch.ones(4, 8), torch.ones(8, 3)

OUT = torch.empty(4, 8)

INDEX = torch.tensor([0, 2, 2])


@pytest.mark.parametrize(
    "free",
    [
        lambda: A.view(8, 4),
        lambda: A.t().expand(2, 8, 4).unsqueeze(0)[..., 1:],
        lambda: A.contiguous().reshape(-1),
        lambda: A.detach().float().to("cpu"),
        lambda: A.split(2),
        lambda: torch.empty(0) * 2,
        lambda: A.shape[0] * A.stride(0),
        lambda: torch.ops.aten._unsafe_view(A, [32]),
    ],
)
def test_views_queries_and_empty_tensors_are_free(free: Callable[[], Any]) -> None:
    found = counted(free)
    assert (found.operations, found.launches, found.bytes_moved, found.multiply_adds, found.peak_bytes) == ({}, 0, 0, 0, 0)


@pytest.mark.parametrize(
    ("call", "name", "multiply_adds", "bytes_moved"),
    [
        (lambda: A @ B, "mm", 96, 4 * (32 + 24 + 12)),
        (lambda: A * 2, "mul", 32, 4 * 64),
        (lambda: A.expand(5, 4, 8) * 2, "mul", 160, 4 * (32 + 160)),
        (lambda: A.t().contiguous(), "clone", 0, 4 * 64),
        (lambda: A.sum(), "sum", 32, 4 * 33),
        (lambda: A[INDEX], "index", 0, 24 + 4 * (24 + 24)),
        (lambda: A.index_select(0, INDEX), "index_select", 0, 24 + 4 * (24 + 24)),
        (lambda: torch.zeros(4, 8), "zeros", 0, 4 * 32),
        (lambda: torch.cat([A, A]), "cat", 0, 4 * 128),
        (lambda: A.mul_(1), "mul_", 32, 4 * 64),
        (lambda: torch.mul(A, 2, out=OUT), "mul", 32, 4 * 64),
    ],
)
def test_each_operation_costs_what_it_reads_writes_and_computes(call: Callable[[], Any], name: str, multiply_adds: int, bytes_moved: int) -> None:
    found = counted(call)
    assert found.operations == {name: 1} and found.launches == 1
    assert (found.multiply_adds, found.bytes_moved) == (multiply_adds, bytes_moved)


def test_a_scatter_moves_its_rows_and_not_its_target() -> None:
    target, rows = torch.zeros(100, 8), torch.ones(3, 8)
    found = counted(lambda: target.index_add_(0, INDEX, rows))
    assert found.operations == {"index_add_": 1}
    assert found.bytes_moved == 24 + 3 * rows.numel() * 4


def test_empty_memory_is_held_but_not_launched() -> None:
    found = counted(lambda: torch.empty(16).fill_(1))
    assert found.operations == {"empty": 1, "fill_": 1} and found.launches == 1
    assert found.peak_bytes == found.bytes_moved == 64


@pytest.mark.parametrize(
    ("call", "casts"),
    [
        (lambda: A.double(), {"float32->float64": 1}),
        (lambda: A.double().bfloat16(), {"float32->float64": 1, "float64->bfloat16": 1}),
        (lambda: torch.zeros(4, 8, dtype=torch.float64).copy_(A), {"float32->float64": 1}),
        (lambda: INDEX.float(), {"int64->float32": 1}),
        (lambda: A + torch.ones(8, dtype=torch.float64), {"float32->float64": 1}),
        (lambda: A * torch.tensor(2.0, dtype=torch.float64), {}),
        (lambda: A > 0, {}),
    ],
)
def test_casts(call: Callable[[], Any], casts: dict[str, int]) -> None:
    assert counted(call).casts == casts


@pytest.mark.parametrize(
    ("call", "name"),
    [
        (lambda: A.sum().item(), "_local_scalar_dense"),
        (lambda: bool(A[0, 0] > 0), "_local_scalar_dense"),
        (lambda: A.nonzero(), "nonzero"),
        (lambda: A[A > 0], "index"),
        (lambda: A.masked_select(A > 0), "masked_select"),
        (lambda: torch.unique(INDEX), "_unique2"),
        (lambda: torch.equal(A, A), "equal"),
        (lambda: INDEX.repeat_interleave(INDEX), "repeat_interleave"),
    ],
)
def test_what_a_gpu_would_make_the_host_wait_for(call: Callable[[], Any], name: str) -> None:
    assert counted(call).syncs == {name: 1}
    assert counted(lambda: A[INDEX].sum() + torch.ones(3).repeat_interleave(2)[0]).syncs == {}
