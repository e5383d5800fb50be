"""Gradients of indexing, row by row in 16 bits as a CPU adds them."""

from __future__ import annotations

import pytest
import torch

from mpcheck.reference.serial_gathers import SerialGathers, serial


@pytest.mark.parametrize("dtype", [torch.bfloat16, torch.float16])
def test_gradients_of_indexing_are_added_as_a_cpu_adds_them(dtype: torch.dtype) -> None:
    """Row by row in 16 bits: what equal rows lose is lost with one sign, and random partial sums do not tell of it."""
    generator = torch.Generator().manual_seed(0)
    where = torch.randint(0, 3, (2400,), generator=generator)
    rows = (1.0 + 1e-3 * torch.randn(2400, 2, generator=generator)).to(dtype)
    exact = torch.zeros(3, 2, dtype=torch.float64).index_put((where,), rows.double(), accumulate=True)
    with SerialGathers(dtype):
        found = torch.zeros(3, 2, dtype=torch.float64).index_put((where,), rows.double(), accumulate=True)
        elsewhere = torch.zeros(3, 2, dtype=torch.float64).index_put((where[:1],), rows[:1].double())
    assert torch.equal(found, torch.zeros(3, 2, dtype=dtype).index_put((where,), rows, accumulate=True).double())
    assert torch.equal(elsewhere[where[0]], rows[0].double())
    lost = (exact - found) / exact
    if dtype == torch.bfloat16:
        assert bool((lost > 0.0).all()) and float(lost.min()) > torch.finfo(dtype).eps


def test_no_row_is_added_to_nothing() -> None:
    assert torch.equal(serial(lambda t: t, torch.ones(2, 1), torch.zeros(0, dtype=torch.int64), torch.zeros(0, 1)), torch.ones(2, 1))


@pytest.mark.parametrize("dtype", [torch.bfloat16, torch.float16])
@pytest.mark.parametrize("padding", [-1, 1])
def test_gradients_of_an_embedding_are_added_as_a_cpu_adds_them(dtype: torch.dtype, padding: int) -> None:
    generator = torch.Generator().manual_seed(1)
    where = torch.randint(0, 4, (300,), generator=generator)
    rows = (1.0 + 1e-3 * torch.randn(300, 3, generator=generator)).to(dtype)
    with SerialGathers(dtype):
        found = torch.ops.aten.embedding_dense_backward(rows.double(), where, 4, padding, False)
    assert torch.equal(found, torch.ops.aten.embedding_dense_backward(rows, where, 4, padding, False).double())
