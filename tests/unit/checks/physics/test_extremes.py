"""Large arguments give finite derivatives."""

from __future__ import annotations

from typing import Any

import pytest
import torch

from mpcheck.checks.physics.extremes import Peak
from mpcheck.sessions.run import Session
from tests.faults.patches import PATCHES
from tests.unit.checks.physics.judging import NARROW, assert_green, assert_red, judged, silu_as


@pytest.mark.parametrize("fmt", ["float64", *NARROW])
def test_silu_by_exponential(run: Session, clean: Any, fmt: str) -> None:
    fault = PATCHES["silu_by_exponential"](run)
    assert_red(run, clean, fault, "second-derivatives", (fmt, "finite"), "conv_tp_weights: second derivative by", f"not finite in {fmt}")


@pytest.mark.parametrize("fmt", ["float64", *NARROW])
def test_sigmoid_by_two_exponentials(run: Session, clean: Any, fmt: str) -> None:
    """The value itself, infinity over infinity, at large positive arguments."""
    fault = silu_as(lambda x: x * torch.exp(x) / (1 + torch.exp(x)))
    assert_red(run, clean, fault, "second-derivatives", (fmt, "finite"), "conv_tp_weights: value (out) is not finite")


@pytest.mark.parametrize("formula", [lambda x: x * torch.sigmoid(x), lambda x: x * torch.sigmoid(x.clamp(-60.0, 60.0))], ids=["sigmoid", "clamped"])
def test_silu_written_otherwise_is_finite(run: Session, formula: Any) -> None:
    with silu_as(formula):
        found = judged(run, "second-derivatives")
    assert {f.format for (_, variant), f in found.items() if variant == "finite" and f.verdict == "pass"} == {"float64", *NARROW}


def test_silu_by_the_sigmoid_is_green(run: Session) -> None:
    assert_green(run, silu_as(lambda x: x * torch.sigmoid(x)), "second-derivatives")


def test_peaks_leave_out_what_exponentials_made() -> None:
    x = torch.tensor([3.0, 50.0], dtype=torch.float64, requires_grad=True)
    with Peak() as mode:
        y = (x * x).sum() + (torch.exp(x) * 2.0 + 1.0).sum()
        torch.autograd.grad(y, x)
    assert mode.peak == 2509.0
