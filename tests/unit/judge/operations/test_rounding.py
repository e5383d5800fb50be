"""What one operation may round."""

from __future__ import annotations

from typing import Any

import pytest
import torch

from mpcheck.formats import BFLOAT16, FLOAT16, FLOAT32, FLOAT64, TF32, Format
from mpcheck.judge.emulate import round_significand
from mpcheck.judge.operations.rounding import Call, allowed, judged, simple_ratio, within_one_rounding
from mpcheck.judge.operations.widened import widened
from mpcheck.judge.tolerances import limits_for, load_tolerances
from mpcheck.records.tensors import Quantity
from mpcheck.reference.operations import operation_of

aten = torch.ops.aten
LIMITS = limits_for(load_tolerances(), "block", "e3nn", "float32", "forward")


@pytest.mark.parametrize(
    ("fmt", "dtype", "product", "inner", "operand"),
    [
        (FLOAT32, torch.float32, 2.0**-24, 2.0**-24, 0.0),
        (FLOAT32, torch.bfloat16, 2.0**-24, 2.0**-24, 0.0),
        (FLOAT64, torch.float32, 2.0**-53, 2.0**-53, 0.0),
        (BFLOAT16, torch.bfloat16, 2.0**-8, 2.0**-24, 0.0),
        (BFLOAT16, torch.float32, 2.0**-24, 2.0**-24, 0.0),
        (FLOAT16, torch.bfloat16, 2.0**-11, 2.0**-24, 0.0),
        (TF32, torch.float32, 2.0**-24, 2.0**-24, 2.0**-11),
        (TF32, torch.float64, 2.0**-53, 2.0**-53, 0.0),
        (FLOAT32, torch.float8_e4m3fn, 2.0**-24, 2.0**-24, 0.0),
    ],
)  # fmt: skip
def test_the_narrower_of_a_type_and_its_format_is_no_excuse(fmt: Format, dtype: torch.dtype, product: float, inner: float, operand: float) -> None:
    roundoff = allowed(fmt, dtype, "cpu")
    assert (roundoff["product"], roundoff["inner"], roundoff["operand"]) == (product, inner, operand)


def call(func: Any, args: tuple[Any, ...], fmt: Format, result: torch.Tensor | None = None) -> Quantity:
    got = func(*args) if result is None else result
    wide = widened(args)
    one = Call(func, wide, {}, operation_of(func), None, func(*wide), widened(got))
    return judged(one, allowed(fmt, got.dtype, "cpu"), fmt, LIMITS)


def numbers(*shape: int, dtype: torch.dtype = torch.float32) -> torch.Tensor:
    return torch.randn(*shape, generator=torch.Generator().manual_seed(3), dtype=torch.float64).to(dtype)


@pytest.mark.parametrize("fmt", [FLOAT32, BFLOAT16, FLOAT16])
@pytest.mark.parametrize("shape", [(1, 1), (3, 2), (40, 30)])
def test_sound_operations_pass(fmt: Format, shape: tuple[int, int]) -> None:
    x = numbers(*shape, dtype=fmt.storage)
    for func, args in (
        (aten.mm.default, (x, x.t().contiguous())), (aten.mul.Tensor, (x, 0.3)), (aten.exp.default, (x,)), (aten.silu.default, (x,)),
        (aten.sum.default, (x,)),
    ):  # fmt: skip
        assert call(func, args, fmt).failures == [], func


def test_a_sum_that_is_kept_too_narrow_fails() -> None:
    x = numbers(30, 64, dtype=torch.bfloat16)
    w = numbers(64, 20, dtype=torch.bfloat16)
    total = torch.zeros(30, 20, dtype=torch.bfloat16)
    for k in range(64):
        total = total + x[:, k : k + 1] @ w[k : k + 1]
    assert call(aten.mm.default, (x, w), BFLOAT16, total).failures
    assert not call(aten.mm.default, (x, w), BFLOAT16).failures


def test_operands_are_rounded_where_the_format_says_so() -> None:
    x, w = numbers(30, 64), numbers(64, 20)
    coarse = round_significand(x, 11) @ round_significand(w, 11)
    assert call(aten.mm.default, (x, w), FLOAT32, coarse).failures
    assert not call(aten.mm.default, (x, w), TF32, coarse).failures


def test_truncation_fails() -> None:
    x = numbers(400)
    cut = (x.view(torch.int32) & ~0xFFFF).view(torch.float32).to(torch.bfloat16)
    assert call(aten.clone.default, (x,), BFLOAT16, cut).failures
    assert not call(aten.clone.default, (x,), BFLOAT16, x.to(torch.bfloat16)).failures


def test_one_rounding() -> None:
    x = numbers(100).to(torch.float64)
    low = x.to(torch.bfloat16).to(torch.float64)
    assert within_one_rounding(low, x, 2.0**-8, 0.0)
    assert not within_one_rounding(low, x, 2.0**-9, 0.0)
    assert 0.4 < simple_ratio(low, x, 2.0**-8) < 1.0
    assert simple_ratio(x, x, 2.0**-8) == 0.0
