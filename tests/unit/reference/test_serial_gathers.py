"""Gradients of indexing, row by row in 16 bits as a CPU adds them."""

from __future__ import annotations

import pytest
import torch

from mpcheck.bench.work.pinning import torch_threads
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


@pytest.mark.parametrize("dtype", [torch.bfloat16, torch.float16])
@pytest.mark.parametrize("mask", [[True, True, True], [True, False, True], [False, True, False]])
def test_gradients_of_a_layer_norm_are_added_as_a_cpu_adds_them(dtype: torch.dtype, mask: list[bool]) -> None:
    """Of 400 near-equal rows: a product in float32, and a partial sum in 16 bits."""
    generator = torch.Generator().manual_seed(2)
    x = (torch.randn(8, generator=generator) + 1e-2 * torch.randn(400, 8, generator=generator)).to(dtype)
    grad = (1.0 + 1e-2 * torch.randn(400, 8, generator=generator)).to(dtype)
    weight, bias = torch.rand(8, generator=generator).to(dtype), torch.zeros(8, dtype=dtype)
    wide = [t.double() for t in (weight, bias)]
    with torch_threads(1):  # of several, each adds up a part of the rows, and their sums are added
        _, mean, rstd = torch.ops.aten.native_layer_norm(x, [8], weight, bias, 1e-5)
        native = torch.ops.aten.native_layer_norm_backward(grad, x, [8], mean, rstd, weight, bias, mask)
    with SerialGathers(dtype):
        emulated = torch.ops.aten.native_layer_norm_backward(grad.double(), x.double(), [8], mean.double(), rstd.double(), *wide, mask)
    for place, wanted in enumerate(mask[1:], 1):
        if wanted:
            assert torch.equal(emulated[place], native[place].double())
        else:
            assert emulated[place] is None or not emulated[place].numel()
