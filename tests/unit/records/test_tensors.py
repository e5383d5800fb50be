"""Tensors of a record: which one decides."""

from __future__ import annotations

import math
from typing import Any

import pytest

from mpcheck.records.tensors import Group, Quantity, decisive, summary
from tests.unit.record_samples import quantity as sample
from tests.unit.records.small import quantity


def test_a_failing_tensor_decides_before_a_larger_one() -> None:
    told = decisive([quantity("calm", 3.0, limit=4.0), quantity("bias", 0.2, failures=("bias",)), quantity("other", 0.9)])
    assert told is not None and told.name == "bias"
    assert decisive([quantity("a", 0.5), quantity("b", None)]).name == "b"  # type: ignore[union-attr]
    assert decisive([]) is None


@pytest.mark.parametrize(
    ("changes", "ratio", "limit"),
    [
        ({}, 0.6, 1.5),
        ({"max": 27.0, "max_limit": 9.0}, 27.0, 9.0),
        ({"signed_bias": -0.8, "signed_bias_limit": 0.2}, 0.8, 0.2),
        ({"bias": 0.8, "bias_limit": None}, 0.6, 1.5),
        ({"arithmetic": 3.0, "arithmetic_limit": 1.5}, 3.0, 1.5),
        ({"arithmetic_bias": -0.9, "arithmetic_bias_limit": 0.3}, 0.9, 0.3),
        ({"groups": [Group(name="4x0e", rms=0.1, limit=1.0), Group(name="4x1o", rms=2.0, limit=1.0)]}, 2.0, 1.0),
        ({"rms": None}, None, 1.5),
        ({"max": None}, None, 9.0),
    ],
)
def test_the_figure_that_comes_closest_to_its_limit_is_told(changes: dict[str, Any], ratio: float | None, limit: float) -> None:
    told = sample(**changes)
    assert told.decisive == (ratio, limit)
    assert told.share == pytest.approx(math.inf if ratio is None else ratio / limit)
    assert summary([sample("calm", 0.1), told])["ratio"] == ratio


def test_a_golden_value_has_a_ratio_and_no_more() -> None:
    assert Quantity(name="out", rms=0.4, rms_limit=None, max=3.0).decisive == (0.4, None)
