"""Deviations from the symmetry in units of noise."""

from __future__ import annotations

import math

import torch

from mpcheck.adapters.facts.rotation import Turn
from mpcheck.adapters.slots import Slot
from mpcheck.checks.symmetry.deviation import deviations
from mpcheck.judge.scale import Scale
from mpcheck.judge.tolerances import RatioLimits, limits_for, load_tolerances

Q, P = (0.3, -0.5, 0.7, 0.2), (0.9, 0.1, 0.4, -0.3)


def test_nan_fails_and_zero_error_passes() -> None:
    scale = Scale(torch.ones(4, 3, dtype=torch.float64), 1.0, 0.1, 1.0, 1.0, 0.0, 12, freedom=20.0)
    limits: RatioLimits = limits_for(load_tolerances(), "x", "e3nn", "float64", "forward")
    slot, square = Slot("1x1o", "flat"), torch.ones(4, 3, dtype=torch.float64)
    error = torch.zeros(4, 3, dtype=torch.float64)
    assert not deviations(Turn(Q), "out", error, 0 * square, slot, scale, limits)[0].fails
    error[1, 1] = float("nan")
    found = deviations(Turn(Q), "out", error, square, slot, scale, limits)[0]
    assert found.fails and found.share == math.inf
    assert deviations(Turn(Q), "out", torch.full_like(error, 1e-9), 0 * square, slot, scale, limits)[0].fails, "an error where none is allowed"
