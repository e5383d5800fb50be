"""Stored figures are read strictly."""

from __future__ import annotations

from typing import Any

import pytest
from pydantic import ValidationError

from mpcheck.bench.figures import QUANTILES, Launch
from tests.unit.bench_samples import figures

LAUNCH = figures(1.0).launches[0].model_dump()


def test_the_seconds_of_a_launch_are_its_median() -> None:
    launch = Launch(**LAUNCH)
    assert launch.seconds == launch.quantiles[QUANTILES.index(0.5)]


@pytest.mark.parametrize(
    "changes",
    [{"quantiles": [1e-3] * 4}, {"quantiles": [0.0] + [1e-3] * 4}, {"first_call": float("inf")}, {"waiting": 1.5}, {"rounds": 0}, {"more": 1}],
)
def test_figures_that_no_clock_gives_are_refused(changes: dict[str, Any]) -> None:
    with pytest.raises(ValidationError, match=next(iter(changes))):
        Launch(**{**LAUNCH, **changes})
