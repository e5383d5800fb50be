"""Errors in units of noise where values are degenerate: too small, or many that round together."""

from __future__ import annotations

import pytest
import torch

from mpcheck.adapters.slots import PLAIN
from mpcheck.formats import FORMATS
from mpcheck.judge.element_names import ElementNames
from mpcheck.judge.metrics import _bias_limit, compare
from mpcheck.judge.scale import Scale
from mpcheck.judge.tolerances import limits_for, load_tolerances

NOTHING = Scale(torch.zeros(4, dtype=torch.float64), 0.0, 0.9, 1.0, 1.0, 0.0, 4, 10.0)


def test_values_too_small_for_a_noise_scale_are_not_judged_by_one_of_zero() -> None:
    limits, layout = limits_for(load_tolerances(None), "x", "e3nn", "float64", "forward"), ElementNames(PLAIN, [], "row")
    value = torch.tensor([1.0, 2.0, 3.0, 4.0], dtype=torch.float64)
    fmt = FORMATS["float64"]
    below = compare("out", value * 1e-200 * (1 + fmt.u), value * 1e-200, NOTHING, fmt, limits, layout)
    assert not below.failures
    within = compare("out", value * (1 + 4 * fmt.u), value, NOTHING, fmt, limits, layout)
    assert within.failures  # an exact quantity of any size may not be off at all


def test_a_bias_of_rows_that_round_together_is_not_that_of_as_many_apart() -> None:
    limit = limits_for(load_tolerances(None), "x", "e3nn", "bfloat16", "forward")
    apart, alike = torch.rand(32, 8).bfloat16(), torch.rand(1, 8).bfloat16().expand(32, 8)
    assert _bias_limit(0.05, apart, limit) == pytest.approx(limit.bias_at(0.05), rel=0.2)
    assert _bias_limit(0.05, alike, limit) == pytest.approx(limit.bias_at(0.05 * 32**0.5))
    assert _bias_limit(0.001, alike, limit) == limit.bias_at(0.001)  # far below the floor: nothing to count
