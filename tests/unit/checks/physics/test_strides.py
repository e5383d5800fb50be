"""Layouts in memory change strides and no value."""

from __future__ import annotations

import pytest
import torch

from mpcheck.checks.physics import strides


@pytest.mark.parametrize("layout", ["every other element", "columns first", "expanded"])
def test_layouts_change_strides_and_nothing_else(layout: str) -> None:
    t = torch.randn(5, 4, dtype=torch.float64)
    moved = strides.LAYOUTS[layout](t)
    assert not moved.is_contiguous()
    assert torch.equal(moved, t[:1].repeat(5, 1) if layout == "expanded" else t)
