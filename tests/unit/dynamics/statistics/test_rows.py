"""Rows from runs, paired and not."""

from __future__ import annotations

import numpy as np
import pytest

from mpcheck.dynamics.statistics.decisions import decide
from mpcheck.dynamics.statistics.rows import Asked, Run, rows
from tests.unit.dynamics.samples import autoregressive

ASKED = {"temperature": Asked("K", 3.0), "density": Asked("g/cm³", 0.05)}


def runs(seed: int, warmer: float = 0.0, count: int = 3) -> list[Run]:
    rng = np.random.default_rng(seed)
    one = [autoregressive(rng, 1500, 4.0, 300.0 + warmer, 12.0) for _ in range(count)]
    return [Run({"temperature": values, "density": autoregressive(rng, 1500, 4.0, 1.0, 0.02)}, 15.0) for values in one]


def test_every_observable_has_its_row() -> None:
    found = decide(rows("bf16", runs(0, warmer=9.0), runs(1), ASKED))
    assert [(one.observable, one.decision, one.unit) for one in found] == [("temperature", "different", "K"), ("density", "equivalent", "g/cm³")]
    assert found[0].seeds == 3 and found[0].length_ps == 45.0 and found[0].mean == pytest.approx(309.0, abs=1.5)


def test_pairs_are_compared_one_by_one() -> None:
    one = runs(2)
    moved = [Run({name: values + 0.2 for name, values in run.values.items()}, run.length_ps) for run in one]
    (exact,) = rows("p", moved, one, {"temperature": ASKED["temperature"]}, pairs=True)
    assert exact.comparison.difference == pytest.approx(0.2) and exact.comparison.low == pytest.approx(0.2, abs=1e-9)
    (apart,) = rows("p", moved, one, {"temperature": ASKED["temperature"]})
    assert apart.comparison.reference == pytest.approx(exact.comparison.reference) and apart.comparison.low < -0.3


def test_what_is_missing_is_told() -> None:
    with pytest.raises(ValueError, match="pressure is missing"):
        rows("p", runs(0), runs(1), {"pressure": Asked("GPa", 0.1)})
    for pairs in (False, True):
        with pytest.raises(ValueError):
            rows("p", [], [], ASKED, pairs=pairs)
    with pytest.raises(ValueError):
        rows("p", runs(0, count=2), runs(1), ASKED, pairs=True)
