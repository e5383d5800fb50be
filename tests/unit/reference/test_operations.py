"""Partial sums of operations: in the order given, with terms that cancel or repeat."""

from __future__ import annotations

import pytest
import torch

from mpcheck.reference.noise import NoiseMode
from mpcheck.reference.operations import partial_sums, repeated, rows_in_order

aten = torch.ops.aten


def summed(terms: list[float]) -> torch.Tensor:
    source = torch.tensor(terms, dtype=torch.float64).unsqueeze(1)
    index = torch.zeros(len(terms), dtype=torch.int64)
    with NoiseMode("scatter", 3):
        return torch.zeros(1, 1, dtype=torch.float64).index_add(0, index, source)


def test_partial_sums_round_where_the_terms_cancel() -> None:
    assert float(torch.tensor([0.3, 0.7, -0.3, -0.7], dtype=torch.float64).sum()) == 0.0
    assert float(summed([0.3, 0.7, -0.3, -0.7])) != 0.0
    assert float(summed([0.0, 0.0, 0.0])) == 0.0  # nothing was rounded


def sequential(index: torch.Tensor, rows: torch.Tensor, atoms: int) -> torch.Tensor:
    """Root of the summed squares of every partial sum, added one by one."""
    sums, squares = torch.zeros(atoms, rows.shape[1], dtype=torch.float64), torch.zeros(atoms, rows.shape[1], dtype=torch.float64)
    for i, row in zip(index.tolist(), rows, strict=True):
        sums[i] += row
        squares[i] += sums[i].square()
    return squares.sqrt()


def test_partial_sums_of_rows_are_those_of_the_order_given() -> None:
    generator = torch.Generator().manual_seed(0)
    index = torch.randint(0, 4, (60,), generator=generator)
    rows, target = torch.randn(60, 3, generator=generator, dtype=torch.float64), torch.zeros(5, 3, dtype=torch.float64)
    wanted = sequential(index, rows, 5)
    for name, where in (("index_add", index), ("scatter_add_", index[:, None].expand_as(rows))):
        found = rows_in_order(name, (target, 0, where, rows))
        assert found is not None and torch.allclose(found, wanted, rtol=1e-12)
    assert rows_in_order("scatter_add", (target, 0, torch.randint(0, 4, (60, 3), generator=generator), rows)) is None  # elements, not rows


def test_terms_that_add_up_before_they_cancel_round_more() -> None:
    ahead = torch.ones(64, 1, dtype=torch.float64)
    rows, index, target = torch.cat([ahead, -ahead]), torch.zeros(128, dtype=torch.long), torch.zeros(1, 1, dtype=torch.float64)
    turns = torch.stack([ahead, -ahead], 1).reshape(128, 1)
    scales = [partial_sums(aten.index_add.default, "index_add", (target, 0, index, r), {}, target) for r in (rows, turns)]
    assert all(s is not None for s in scales)
    assert float(scales[0]) > 3 * float(scales[1])  # type: ignore[arg-type]  # not None, as just said
    assert float(scales[0]) == pytest.approx(float(sequential(index, rows, 1)))  # type: ignore[arg-type]


@pytest.mark.parametrize("groups", [1, 4, 340])
def test_equal_terms_of_a_product_err_together(groups: int) -> None:
    """Against float32 itself, one term after another: the scale must hold the error whatever repeats, and not lose it in width."""
    generator = torch.Generator().manual_seed(groups)
    ratios = []
    for _ in range(40):
        a = torch.randn(3, groups, generator=generator).repeat_interleave(340 // groups, 1)
        b = torch.randn(groups, 5, generator=generator).repeat_interleave(340 // groups, 0)
        a, b = a.float(), b.float()
        exact, total = a.double() @ b.double(), torch.zeros(3, 5)
        for k in range(a.shape[1]):
            total = torch.addcmul(total, a[:, k : k + 1], b[k : k + 1])
        scale = partial_sums(aten.mm.default, "mm", (a.double(), b.double()), {}, exact)
        assert scale is not None
        ratios.append(float((total - exact).square().mean().sqrt() / (scale * 2.0**-24).square().mean().sqrt()))
    ratio = float(torch.tensor(ratios).square().mean().sqrt())
    assert 0.03 < ratio < 1.0
    assert repeated(a, b) == pytest.approx(a.shape[1] / groups)
