"""Decisions on pairs of trainings: what is known, what is found at which rate, and what is too little to decide."""

from __future__ import annotations

import math

import numpy as np
import pytest

from mpcheck.learning.decide import decided


@pytest.mark.parametrize(
    ("values", "reference", "expected"),
    [
        ([100.0, 110.0, 121.0], [100.0, 110.0, 121.0], "equivalent"),
        ([101.0, 111.0, 121.0], [100.0, 110.0, 121.0], "equivalent"),
        ([130.0, 141.0, 149.0], [100.0, 110.0, 120.0], "different"),
        ([70.0, 79.0, 90.0], [100.0, 110.0, 120.0], "different"),
        ([90.0, 140.0, 110.0], [100.0, 110.0, 120.0], "cannot tell"),
        ([130.0], [100.0], "cannot tell"),
        ([math.nan, 100.0], [100.0, 100.0], "different"),
    ],
)
def test_what_is_known(values: list[float], reference: list[float], expected: str) -> None:
    assert decided(values, reference, 10.0).decision == expected


def test_intervals_hold_the_truth_and_errors_are_as_rare_as_they_say() -> None:
    """Of a true difference on the margin itself, 5 % may be called equivalent; the 95 % interval misses the truth in 5 %."""
    rng = np.random.default_rng(1)
    found = []
    for _ in range(2000):
        reference = rng.normal(100.0, 10.0, 4)
        found.append(decided((reference + rng.normal(10.0, 3.0, 4)).tolist(), reference.tolist(), 10.0))
    assert np.mean([one.decision == "equivalent" for one in found]) == pytest.approx(0.05, abs=0.02)
    assert np.mean([one.decision == "different" for one in found]) == pytest.approx(0.025, abs=0.015)


def test_other_seeds_are_no_pairs() -> None:
    with pytest.raises(ValueError, match="paired"):
        decided([1.0], [1.0, 2.0])
