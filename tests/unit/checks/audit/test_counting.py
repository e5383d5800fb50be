"""Operations, casts and promotions are counted by their types, and counting changes no result."""

from __future__ import annotations

import contextlib

import torch

from mpcheck.checks.audit.counting import CountingMode, DtypeCounts
from mpcheck.checks.audit.partial_sums import ReductionProbe
from mpcheck.formats import FORMATS

BF16 = FORMATS["bfloat16"]


def watched(dtype: torch.dtype, *allowed: torch.dtype) -> tuple[DtypeCounts, CountingMode]:
    counts = DtypeCounts(frozenset({dtype, *allowed}))
    return counts, CountingMode(counts)


def test_operations_casts_and_promotions_are_counted() -> None:
    counts, mode = watched(torch.bfloat16)
    a, b = torch.ones(4, 8, dtype=torch.bfloat16), torch.ones(8, 3, dtype=torch.bfloat16)
    with mode:
        c = a @ b
        (c * torch.ones(3)).view(12)
        c + torch.tensor(1.0, dtype=torch.float64)  # a single number sets no type
        c.double()
    assert counts.operations == {torch.bfloat16: 2, torch.float32: 1}
    assert counts.multiply_adds == {torch.bfloat16: 4 * 8 * 3 + 12, torch.float32: 12}
    assert counts.products == {torch.bfloat16: 1, torch.float32: 0}
    assert counts.promotions == {("mul", ("bfloat16", "float32")): 1}
    assert counts.casts == {(torch.bfloat16, torch.float64): 1}
    assert counts.unexpected == {("mul", torch.float32): 1, ("_to_copy", torch.float64): 1}


def test_empty_tensors_and_integers_do_not_count() -> None:
    counts, mode = watched(torch.float32)
    with mode:
        torch.empty(0, dtype=torch.float64) * 2
        torch.arange(3) + 1
    assert not counts.operations and not counts.unexpected


def test_integers_that_become_the_default_type_do() -> None:
    counts, mode = watched(torch.float64)
    with mode:
        1.5 * torch.arange(3) * torch.ones(3, dtype=torch.float64)
    assert counts.unexpected == {("mul", torch.float32): 2} and counts.operations == {torch.float32: 1, torch.float64: 1}


def test_the_watch_changes_no_result() -> None:
    x = torch.randn(16, 16, generator=torch.Generator().manual_seed(3)).bfloat16()
    with CountingMode(DtypeCounts(frozenset()), ReductionProbe(BF16)), contextlib.nullcontext():
        seen = (x @ x).sum(0)
    assert torch.equal(seen, (x @ x).sum(0))
