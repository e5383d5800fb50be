"""Values that differ from call to call are named; what another order of sums does is not."""

from __future__ import annotations

import math
from collections.abc import Callable

import pytest
import torch

from mpcheck.reference.steady import MOST_NOISE, UNIT, beyond_noise, copied, unlike

VALUES = {"out.0": torch.ones(4, dtype=torch.float64), "out.1": torch.full((4,), 1e-9, dtype=torch.float64), "grad.random.x": torch.ones(2)}


def changed(name: str, change: Callable[[torch.Tensor], torch.Tensor]) -> dict[str, torch.Tensor]:
    return {**VALUES, name: change(VALUES[name])}


def test_last_bits_are_alike_and_half_of_the_digits_are_not() -> None:
    assert unlike(VALUES, {n: t.clone() for n, t in VALUES.items()}) == "" == unlike(VALUES, {})
    assert unlike(VALUES, changed("out.0", lambda t: t * (1 + 1e-12))) == ""
    assert unlike(VALUES, changed("out.0", lambda t: t + 1e-3)) == "out.0 differs by 0.001 of its magnitude"
    assert unlike(VALUES, changed("out.1", lambda t: t * 2)) == "", "small beside the largest of its kind"


@pytest.mark.parametrize("change", [lambda t: t * math.nan, lambda t: t[:1], lambda t: t * math.inf])
def test_no_number_and_another_shape_are_never_alike(change: Callable[[torch.Tensor], torch.Tensor]) -> None:
    assert unlike(VALUES, changed("out.0", change)) == "out.0 differs by inf of its magnitude"
    assert unlike(changed("out.0", change), VALUES).startswith("out.0 differs by inf")


def test_differences_are_measured_by_the_noise() -> None:
    noise = {n: {"operation": torch.full_like(t, 2.0), "underflow": torch.full_like(t, 1e30)} for n, t in VALUES.items()}
    within, beyond = 0.9 * MOST_NOISE * 2 * UNIT, 1.2 * MOST_NOISE * 2 * UNIT
    assert beyond_noise(VALUES, changed("out.1", lambda t: t + within), noise) == ""  # type: ignore[arg-type]
    told = beyond_noise(VALUES, changed("out.1", lambda t: t + beyond), noise)  # type: ignore[arg-type]
    assert told.startswith("out.1 differs by 19 noise scales of float64")
    silent: dict[str, dict[str, torch.Tensor]] = {n: {} for n in VALUES}
    assert beyond_noise(VALUES, changed("out.1", lambda t: t + 1e-20), silent).startswith("out.1 differs by inf")  # type: ignore[arg-type]


def test_copies_may_be_written_into() -> None:
    made = copied(VALUES, torch.device("cpu"))
    made["out.0"].zero_()
    assert bool((VALUES["out.0"] == 1).all())
