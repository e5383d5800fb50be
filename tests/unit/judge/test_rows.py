"""Every row beside its own noise: which one is named, and what is no reason to name one."""

from __future__ import annotations

import math
from collections.abc import Sequence

import pytest
import torch

from mpcheck.judge.row_noise import row_means
from mpcheck.judge.rows import MOST, RowFinding, combined, judge_rows, pooled
from mpcheck.judge.scale import Scale

ROWS, WIDTH, DRAWS = 20_000, 16, 3
GROUPS = [("4x0e", slice(0, 4)), ("4x1o", slice(4, 16))]


def scale(spread: float = 0.001, underflow: float = 0.0) -> Scale:
    return Scale(torch.ones(1), 1.0, spread, 0.0, 0.0, underflow, 10**6, 100.0)


class Tensor:
    """Numbers of very different sizes, what a format makes of them, and what a few draws say of its noise."""

    def __init__(self, width: int = WIDTH, spread: float = 1.0) -> None:
        self.generator = torch.Generator().manual_seed(0)
        self.sizes = torch.exp(spread * self._normal(ROWS, 1))
        self.values = self.sizes * self._normal(ROWS, width)
        self.errors = 0.6 * self.sizes * self._uniform(width)
        self.draws = [self.sizes * self._uniform(width) for _ in range(DRAWS)]

    def _normal(self, *shape: int) -> torch.Tensor:
        return torch.randn(*shape, generator=self.generator, dtype=torch.float64)

    def _uniform(self, width: int) -> torch.Tensor:
        return math.sqrt(3) * (2 * torch.rand(ROWS, width, generator=self.generator, dtype=torch.float64) - 1)

    def judged(self, groups: Sequence[tuple[str, slice]] = (), usable: torch.Tensor | None = None, of: Scale | None = None) -> RowFinding:
        noise = torch.stack([row_means(d.square(), groups) for d in self.draws]).mean(0)
        everything = torch.ones(ROWS, dtype=torch.bool)
        errors, sizes = row_means(self.errors.square(), groups), row_means(self.values.square(), groups)
        found = judge_rows(errors, noise, sizes, groups, of or scale(), 1.0, everything if usable is None else usable)
        return max(found, key=lambda one: one.share)


@pytest.mark.parametrize("width", [1, 3, 16])
@pytest.mark.parametrize("spread", [0.0, 1.0, 3.0])
def test_rows_of_all_sizes_with_few_draws_are_sound(width: int, spread: float) -> None:
    found = Tensor(width, spread).judged()
    assert found.share < 0.8, found


@pytest.mark.parametrize("row", [0, 7_777, ROWS - 1])
def test_a_row_that_errs_by_ten_of_its_noise_scales_is_named_where_others_are_far_larger(row: int) -> None:
    tensor = Tensor()
    tensor.errors[row] = 12.0 * tensor.sizes[row]
    found = tensor.judged()
    assert found.row == row and found.share > 1 and found.many == 1 and found.ratio > MOST


def test_one_irrep_of_a_row_is_named() -> None:
    tensor = Tensor()
    tensor.errors[5, :4] *= 20
    found = tensor.judged(GROUPS)
    assert found.row == 5 and found.group == "4x0e" and found.share > 1


def test_many_rows_that_err_by_a_few_noise_scales_are_seen_together() -> None:
    tensor = Tensor(spread=0.0)
    tensor.errors[::10] *= 5.5
    found = tensor.judged()
    assert found.row is None and 1 < found.ratio < 2 and found.share > 1 and found.many == 0


@pytest.mark.parametrize("wrong", [math.nan, math.inf])
def test_what_is_no_number_is_beyond_any_limit_unless_the_format_cannot_hold_it(wrong: float) -> None:
    tensor = Tensor()
    tensor.errors[41, 3] = wrong
    assert math.isinf(tensor.judged().share)
    beyond = torch.ones(ROWS, dtype=torch.bool)
    beyond[41] = False
    assert tensor.judged(usable=beyond).share < 1
    assert tensor.judged(usable=torch.zeros(ROWS, dtype=torch.bool)).share == 0


def test_rows_without_noise_must_be_exact() -> None:
    tensor = Tensor()
    tensor.draws = [torch.zeros_like(d) for d in tensor.draws]
    tensor.errors *= 0
    assert tensor.judged().share == 0
    tensor.errors[9, 0] = 1e-9
    assert math.isinf(tensor.judged().share) and tensor.judged().many in (0, 1)


def test_what_lies_below_the_normal_range_is_judged_by_gross_errors_alone() -> None:
    tensor = Tensor(spread=0.0)
    tensor.errors *= 3
    assert tensor.judged().share > 1 and tensor.judged(of=scale(underflow=0.5)).share < 1


def test_few_roundings_widen_a_limit() -> None:
    assert Tensor().judged(of=scale(spread=1.0)).limit > 2 * Tensor().judged().limit


def test_a_row_has_no_less_noise_than_rows_of_its_size() -> None:
    sizes = torch.arange(1000, dtype=torch.float64)
    squares = sizes.clone()
    squares[500] = 0
    found = pooled(squares[torch.randperm(1000, generator=torch.Generator().manual_seed(0))], sizes)
    assert found.shape == (1000,) and bool((found >= 0).all())
    found = pooled(squares, sizes)
    assert 450 < float(found[500]) < 550 and torch.allclose(found[100], torch.tensor(100.0, dtype=torch.float64), rtol=0.05)
    assert torch.equal(pooled(torch.ones(3), torch.ones(3)), torch.ones(3)) and pooled(torch.ones(0), torch.ones(0)).numel() == 0


def test_components_add_up_as_a_format_has_them_and_underflow_is_of_every_row() -> None:
    noise = {"stored": torch.ones(2, 2), "operand": 4 * torch.ones(2, 2)}
    found = combined(noise, {"stored": 0.5}, torch.tensor([1.0, 2.0]), torch.tensor([0.0, 0.25]))  # type: ignore[arg-type]
    assert found.tolist() == [[0.25, 0.75], [0.25, 0.75]]
