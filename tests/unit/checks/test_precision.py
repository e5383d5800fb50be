"""Ratios of sound blocks lie in one narrow band in every format."""

from __future__ import annotations

from collections.abc import Callable

import pytest

from mpcheck.records.record import Record

LINEAR = ["interactions.0.linear_up", "interactions.1.linear", "products.0.linear", "interactions.1.conv_tp_weights", "readouts.1.linear_1"]
BANDS = {"float32": (0.2, 1.1), "tf32": (0.3, 1.2), "bfloat16": (0.3, 1.1), "float16": (0.3, 1.1)}


@pytest.mark.parametrize("block", LINEAR)
@pytest.mark.parametrize("fmt", sorted(BANDS))
def test_output_ratios_lie_in_one_narrow_band(judge: Callable[..., Record], block: str, fmt: str) -> None:
    cell = judge(block, fmt, "forward")
    low, high = BANDS[fmt]
    rms = cell.quantities[0].rms
    assert rms is not None
    assert low < rms < high
