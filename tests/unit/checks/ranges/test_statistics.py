"""Magnitudes are those that torch's own rounding shows, and layouts those that torch tells."""

from __future__ import annotations

import pytest
import torch

from mpcheck.adapters.slots import Slot
from mpcheck.checks.ranges.statistics import extremes, layout, magnitudes
from mpcheck.formats import FLOAT16, FORMATS, Format


@pytest.mark.parametrize("fmt", FORMATS.values(), ids=str)
def test_shares_are_those_of_torchs_own_rounding(fmt: Format) -> None:
    generator = torch.Generator().manual_seed(3)
    powers = torch.randint(-170, 140, (4000,), generator=generator).double()
    x = torch.cat([(1 + torch.rand(4000, dtype=torch.float64, generator=generator)) * 2.0**powers, torch.zeros(1000, dtype=torch.float64)])
    x = torch.cat([x, fmt.smallest * torch.tensor([0.5, 0.51, 1.0], dtype=torch.float64)])
    found = magnitudes(x, [fmt])
    low, own = x.to(fmt.storage), x != 0
    counts = found.beside[fmt.name]
    share = float(own.sum())
    assert counts.flushed * share == pytest.approx(float(((low == 0) & own).sum()))
    tiny = torch.finfo(fmt.storage).smallest_normal
    assert (counts.subnormal + counts.flushed) * share == pytest.approx(float((x[own].abs() < tiny).sum()))
    assert counts.beyond * share == pytest.approx(float((x > torch.finfo(fmt.storage).max).sum()))
    assert fmt.smallest == float(torch.finfo(fmt.storage).smallest_normal) * torch.finfo(fmt.storage).eps


def test_range_and_place() -> None:
    found = magnitudes(torch.tensor([[0.0, 1.0], [-8.0, 0.25]]))
    assert (found.largest, found.smallest, found.binades, found.zeros, found.row) == (8.0, 0.25, 5.0, 0.25, 1)
    assert (found.low, found.middle, found.high) == (-2, 0, 3)


def test_what_is_no_number_is_counted_apart() -> None:
    found = magnitudes(torch.tensor([float("inf"), float("nan"), 2.0, 0.0]), [FLOAT16])
    assert (found.nonfinite, found.largest, found.zeros) == (2, 2.0, 0.5)
    assert magnitudes(torch.zeros(3)).zeros == 1.0 and magnitudes(torch.zeros(3)).binades == 0.0
    assert magnitudes(torch.tensor(float("nan"))).largest == 0.0
    assert magnitudes(torch.tensor(3.0)).largest == 3.0


def test_layouts() -> None:
    x = torch.zeros(6, 4, dtype=torch.float64)
    plain = layout(x, Slot("1x0e+1x1o", "flat"))
    assert plain.plain and not plain.part and (plain.irreps, plain.form, plain.dtype, plain.device) == ("1x0e+1x1o", "flat", "float64", "cpu")
    assert layout(x, Slot("2x1o", "flat")).irreps == ""  # not of this width
    turned = layout(x.T)
    assert (turned.shape, turned.strides, turned.contiguous, turned.plain) == ([4, 6], [1, 4], False, False)
    wide = layout(torch.zeros(1, 4).expand(6, 4))
    assert wide.expanded and not wide.contiguous and not wide.part
    assert layout(x[1:]).part and layout(x[1:]).alignment == 32 and layout(x.view(-1)[1:]).alignment == 8
    assert layout(x[2:], memory={x.untyped_storage().data_ptr(): ["in.x"]}).shares == ["in.x"]


@pytest.mark.parametrize("numbers", [[1.0, -8.0, 0.25], [0.0, 2.0, -1.0], [float("nan"), 3.0], [float("inf"), -4.0], [0.0], [float("nan")]])
def test_extremes_are_those_of_the_magnitudes(numbers: list[float]) -> None:
    x = torch.tensor(numbers)
    found = magnitudes(x)
    assert extremes(x) == (found.largest, found.smallest)
