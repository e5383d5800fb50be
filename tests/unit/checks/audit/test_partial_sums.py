"""How partial sums round is told from what sums do, whatever computes them."""

from __future__ import annotations

import math

import pytest
import torch

from mpcheck.checks.audit.counting import CountingMode, DtypeCounts
from mpcheck.checks.audit.partial_sums import MIN_TERMS, ReductionProbe, boundary, classify, growth, sweep
from mpcheck.formats import FORMATS, WIDE

CPU = torch.device("cpu")
BF16 = FORMATS["bfloat16"]


def test_the_boundary_lies_between_both_predictions() -> None:
    assert boundary(BF16) == math.sqrt(2.0**-8 * WIDE)
    assert boundary(FORMATS["tf32"]) == math.sqrt(2.0**-11 * WIDE)
    assert boundary(FORMATS["float32"]) == math.sqrt(WIDE * 2.0**-53)
    assert classify(WIDE, BF16) == "wide" and classify(2.0**-10, BF16) == "native" and classify(math.nan, BF16) == "native"


def sequential(x: torch.Tensor) -> torch.Tensor:
    total = torch.zeros(1, x.shape[1], dtype=x.dtype)
    for row in x.split(1):
        total = total + row
    return total


@pytest.mark.parametrize(("dtype", "stuck"), [(torch.bfloat16, 512), (torch.float16, 4096)])
def test_a_sequential_sum_grows_and_gets_stuck(dtype: torch.dtype, stuck: int) -> None:
    found = sweep(sequential, dtype, CPU)
    assert found.stuck == stuck and found.slope > 0.5
    assert classify(found.roundoff, FORMATS["bfloat16" if dtype == torch.bfloat16 else "float16"]) == "native"


def test_a_pairwise_sum_in_the_storage_type_is_native_too() -> None:
    def pairwise(x: torch.Tensor) -> torch.Tensor:
        while len(x) > 1:
            x = x[0::2] + x[1::2]
        return x

    found = sweep(pairwise, torch.bfloat16, CPU)
    assert found.stuck is None  # powers of two: every partial sum of ones is exact
    assert classify(found.roundoff, BF16) == "native"


def test_a_sum_in_float32_is_wide_and_flat() -> None:
    found = sweep(lambda x: x.float().sum(0, keepdim=True).to(x.dtype), torch.bfloat16, CPU)
    assert found.stuck is None and abs(found.slope) < 0.05 and classify(found.roundoff, BF16) == "wide"


def test_nan_is_native() -> None:
    assert math.isnan(sweep(lambda x: x.sum(0, keepdim=True) * math.nan, torch.bfloat16, CPU).roundoff)


@pytest.mark.parametrize("name", "mm addmm bmm baddbmm mv sum mean scatter_add_ index_add index_put".split())
def test_growth_of_torch_operations(name: str) -> None:
    found = growth(name, torch.bfloat16, CPU)
    assert found is not None
    assert classify(found.roundoff, BF16) == ("native" if name == "index_put" else "wide")


def test_growth_of_an_unknown_operation() -> None:
    assert growth("sin", torch.bfloat16, CPU) is None


def test_the_probe_takes_in_place_sums_as_they_were() -> None:
    probe = ReductionProbe(BF16)
    counts = DtypeCounts(frozenset({torch.bfloat16}))
    source = torch.rand(64, 5, generator=torch.Generator().manual_seed(1)).bfloat16()
    target = torch.full((2, 5), 0.25, dtype=torch.bfloat16)
    with CountingMode(counts, probe):
        target.index_add_(0, torch.arange(64) % 2, source)
        torch.zeros(2, 5, dtype=torch.bfloat16).index_put_((torch.arange(64) % 2,), source, accumulate=True)
        source[:2].sum(0)  # fewer terms than say anything
    (added, put) = (probe.sums["index_add_", torch.bfloat16], probe.sums["index_put_", torch.bfloat16])
    assert added.component == "scatter" and classify(added.roundoff, BF16) == "wide" and added.terms == 32 > MIN_TERMS
    assert put.component == "gather" and classify(put.roundoff, BF16) == "native"
    assert ("sum", torch.bfloat16) not in probe.sums
