"""Every row beside its noise: which one is named, and what is no reason to name one."""

from __future__ import annotations

import math
from collections.abc import Sequence

import pytest
import torch

from mpcheck.judge.row_noise import row_means
from mpcheck.judge.rows import ALIKE, LOOKED_AT, MOST, RowFinding, Rows, combined, told_by
from mpcheck.judge.scale import Scale

ROWS, WIDTH = 20_000, 16
GROUPS = [("4x0e", slice(0, 4)), ("4x1o", slice(4, 16))]


def scale(spread: float = 0.001, underflow: float = 0.0) -> Scale:
    return Scale(torch.ones(1), 1.0, spread, 0.0, 0.0, underflow, 10**6, 100.0)


class Tensor:
    """Numbers of different sizes, what a format makes of them, and what a sample and a few draws say of their noise."""

    def __init__(self, width: int = WIDTH, spread: float = 1.0) -> None:
        self.generator = torch.Generator().manual_seed(0)
        self.sizes = torch.exp(spread * torch.randn(ROWS, 1, generator=self.generator, dtype=torch.float64))
        self.errors = 0.6 * self.sizes * self._uniform(width)
        self.noise = self.sizes.expand(-1, width).clone()
        self.draws = [self.sizes * self._uniform(width) for _ in range(3)]

    def _uniform(self, width: int) -> torch.Tensor:
        return math.sqrt(3) * (2 * torch.rand(ROWS, width, generator=self.generator, dtype=torch.float64) - 1)

    def rows(self, groups: Sequence[tuple[str, slice]] = (), of: Scale | None = None) -> Rows:
        sample = slice(None, None, 40)
        told = row_means(self.noise[sample].square(), groups)
        sizes = row_means(self.noise.square(), groups)
        noise = torch.stack([told_by(*columns) for columns in zip(told.T, sizes[sample].T, sizes.T, strict=True)], 1)
        return Rows(row_means(self.errors.square(), groups), noise, groups, of or scale(), 1.0)

    def judged(self, groups: Sequence[tuple[str, slice]] = (), of: Scale | None = None) -> RowFinding:
        rows = self.rows(groups, of)
        suspects = rows.suspects()
        drawn = torch.stack([row_means(d[suspects].square(), groups) for d in self.draws]).mean(0) if len(suspects) else None
        return max(rows.alone(suspects, drawn), rows.together(), key=lambda one: one.share)


@pytest.mark.parametrize("width", [1, 3, 16])
@pytest.mark.parametrize("spread", [0.0, 1.0, 3.0])
def test_rows_of_all_sizes_are_sound(width: int, spread: float) -> None:
    found = Tensor(width, spread).judged()
    assert found.share < 0.9, found


@pytest.mark.parametrize("row", [0, 7_777, ROWS - 1])
def test_a_row_that_errs_by_twenty_of_its_noise_scales_is_named(row: int) -> None:
    tensor = Tensor()
    tensor.errors[row] = 20.0 * tensor.sizes[row]
    found = tensor.judged()
    assert found.row == row and found.share > 1 and found.many == 1 and found.ratio > MOST


def test_a_row_with_more_noise_than_others_of_its_size_is_sound() -> None:
    tensor = Tensor()
    for what in (tensor.errors, *tensor.draws):
        what[3_333] *= 30
    rows = tensor.rows()
    assert rows.suspects().tolist() == [3_333] and rows.alone(rows.suspects(), None).share > 1
    assert tensor.judged().share < 0.9


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


def test_of_more_wrong_rows_than_are_looked_at_the_worst_are() -> None:
    tensor = Tensor(spread=0.0)
    tensor.errors[: 2 * LOOKED_AT] *= 40
    tensor.errors[7] *= 2
    rows = tensor.rows()
    suspects = rows.suspects()
    assert len(suspects) == LOOKED_AT and 7 in suspects.tolist()
    found = rows.alone(suspects, torch.ones(LOOKED_AT, 1, dtype=torch.float64))
    assert found.row == 7 and found.many == LOOKED_AT


@pytest.mark.parametrize("wrong", [math.nan, math.inf])
def test_what_is_no_number_is_beyond_any_limit(wrong: float) -> None:
    tensor = Tensor()
    tensor.errors[41, 3] = wrong
    found = tensor.judged()
    assert math.isinf(found.share) and found.row == 41


def test_rows_without_noise_must_be_exact() -> None:
    tensor = Tensor()
    tensor.noise *= 0
    tensor.draws = [0 * d for d in tensor.draws]
    tensor.errors *= 0
    assert tensor.judged().share == 0
    tensor.errors[9, 0] = 1e-9
    assert math.isinf(tensor.judged().share) and tensor.judged().row == 9


def test_what_lies_below_the_normal_range_is_judged_by_gross_errors_alone() -> None:
    tensor = Tensor(spread=0.0)
    tensor.errors *= 3
    assert tensor.judged().share > 1 and tensor.judged(of=scale(underflow=0.5)).share < 1


def test_few_roundings_widen_the_limit_of_all_rows_together() -> None:
    assert Tensor().rows(of=scale(spread=1.0)).together().limit > 2 * Tensor().rows().together().limit


@pytest.mark.parametrize("count", [1, 5, 47, 400])
def test_a_sample_tells_the_noise_of_rows_of_its_sizes(count: int) -> None:
    sizes = torch.linspace(1, 100, count, dtype=torch.float64)[torch.randperm(count, generator=torch.Generator().manual_seed(0))]
    found = told_by(sizes, sizes, torch.tensor([0.0, 50.0, 1000.0], dtype=torch.float64))
    assert found.shape == (3,) and bool((found >= 1).all()) and bool((found <= 1000).all())
    if count > ALIKE:
        assert float(found[0]) < 15 and 40 < float(found[1]) < 60 and float(found[2]) > 85


def test_larger_rows_than_a_sample_has_are_as_noisy_in_proportion() -> None:
    sizes = torch.arange(1, 101, dtype=torch.float64)
    found = told_by(2 * sizes, sizes, torch.tensor([1e-9, 50.0, 1e6], dtype=torch.float64))
    assert 2 < float(found[0]) < 20 and torch.allclose(found[1:], torch.tensor([100.0, 2e6], dtype=torch.float64), rtol=0.1)


def test_components_add_up_as_a_format_has_them_and_underflow_is_of_every_row() -> None:
    noise = {"stored": torch.ones(2, 2), "operand": 4 * torch.ones(2, 2)}
    found = combined(noise, {"stored": 0.5}, torch.tensor([1.0, 2.0]), torch.tensor([0.0, 0.25]))  # type: ignore[arg-type]
    assert found.tolist() == [[0.25, 0.75], [0.25, 0.75]]
