"""Partial sums of operations: in the order given, with terms that cancel or repeat."""

from __future__ import annotations

import pytest
import torch

from mpcheck.reference.noise import ETA, NoiseMode, seed_of
from mpcheck.reference.sums import listed_rows, partial_sums, repeated, rows_in_order, terms_of

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
        listed = listed_rows(name, (target, 0, where, rows), {})
        assert listed is not None and torch.allclose(rows_in_order(*listed, target.shape), wanted, rtol=1e-12)
    elements = torch.randint(0, 4, (60, 3), generator=generator)
    assert listed_rows("scatter_add", (target, 0, elements, rows), {}) is None  # not of whole rows


def test_every_way_of_adding_rows_is_known_as_such() -> None:
    index, rows, target = torch.tensor([0, 2, 2]), torch.randn(3, 4, dtype=torch.float64), torch.zeros(3, 4, dtype=torch.float64)
    for name, args in {
        "index_add": (target, 0, index, rows), "index_put": (target, [index], rows, True), "_index_put_impl_": (target, [index], rows, True, True),
        "embedding_dense_backward": (rows, index, 3, -1, False),
    }.items():  # fmt: skip
        listed = listed_rows(name, args, {})
        assert listed is not None and torch.equal(listed[0], index) and torch.equal(listed[1], rows), name
        assert terms_of(name, args, {}, target) == 2
    assert listed_rows("index_put", (target, [index], rows, False), {}) is None  # written, not added
    assert listed_rows("index_put", (target, [index, index], rows[:, 0], True), {}) is None  # single numbers
    assert terms_of("mm", (rows, rows.T), {}, rows @ rows.T) == 4 and terms_of("sum", (rows, [0]), {}, rows.sum(0)) == 3


@pytest.mark.parametrize("classes", [1, 3, 12])
@pytest.mark.parametrize("signs", [False, True])
def test_equal_rows_that_are_added_err_together(classes: int, signs: bool) -> None:
    """Against float32 itself: an atom's neighbours in a perfect lattice, of few kinds, also with opposite signs."""
    generator = torch.Generator().manual_seed(classes)
    columns, neighbours = 400, 48
    rows = torch.randn(classes, columns, generator=generator).repeat(neighbours // classes, 1)
    if signs:
        rows *= torch.randint(0, 2, (neighbours, 1), generator=generator) * 2 - 1
    index = torch.zeros(neighbours, dtype=torch.int64)
    error = torch.zeros(1, columns).index_add(0, index, rows).double() - rows.double().sum(0)
    squares = torch.zeros(columns, dtype=torch.float64)
    for draw in range(12):
        with NoiseMode("scatter", seed_of("alike", draw)):
            disturbed = torch.zeros(1, columns, dtype=torch.float64).index_add(0, index, rows.double())
        squares += ((disturbed - rows.double().sum(0)) / ETA).square()[0] / 12
    ratio = float(error.square().mean().sqrt()) / (2.0**-24 * float(squares.mean().sqrt()))
    assert 0.2 < ratio < 1.0


def test_the_energy_sum_is_not_excused_for_equal_terms() -> None:
    rows, index = torch.full((216, 50), -0.7301) * torch.linspace(1, 2, 50), torch.zeros(216, dtype=torch.int64)
    error = torch.zeros(1, 50).index_add(0, index, rows).double() - rows.double().sum(0)
    ratios = []
    for apart in (False, True):
        with NoiseMode("scatter", 5, apart):
            disturbed = torch.zeros(1, 50, dtype=torch.float64).index_add(0, index, rows.double())
        ratios.append(float(error.square().mean().sqrt()) / (2.0**-24 / ETA * float((disturbed - rows.double().sum(0)).square().mean().sqrt())))
    assert ratios[0] < 1.0 < 2.0 < ratios[1]


def test_one_large_class_among_many_terms_counts_as_what_it_is() -> None:
    """100 equal rows among 150, all others different: on average a term occurs three times, and the error is that of the hundred."""
    generator = torch.Generator().manual_seed(7)
    a = torch.randn(3, 51, generator=generator, dtype=torch.float64)
    a = torch.cat([a, a[:, :1].expand(3, 99)], 1)
    b = torch.cat([torch.ones(51, 2, dtype=torch.float64), torch.ones(99, 2, dtype=torch.float64)])
    assert repeated(a, b) > 30
    assert repeated(a * 0, b) == 1.0


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
    assert repeated(a, b) == pytest.approx(a.shape[1] / groups, rel=0.01)
