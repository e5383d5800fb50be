"""A table of decisions raises no more false alarms than one row."""

from __future__ import annotations

import numpy as np
import pytest

from mpcheck.dynamics.statistics.correlated import Sample
from mpcheck.dynamics.statistics.decisions import Row, decide, passed
from mpcheck.dynamics.statistics.equivalence import Comparison, unpaired


def compared(difference: float, error: float = 0.1, margin: float = 1.0) -> Comparison:
    side = error / np.sqrt(2)
    return unpaired([Sample(difference, side, 200.0, 201.0, 10.0)], [Sample(0.0, side, 200.0, 201.0, 10.0)], margin)


def test_three_outcomes() -> None:
    rows = [Row("density", "a", "g/cm³", compared(0.1)), Row("density", "b", "g/cm³", compared(3.0)), Row("energy", "b", "eV", compared(0.1, 5.0))]
    found = decide(rows)
    assert [one.decision for one in found] == ["equivalent", "different", "cannot tell"]
    assert [one.needed_ps is None for one in found] == [True, True, False]
    assert (found[1].policy, found[1].observable, found[1].unit, found[1].margin, found[1].seeds) == ("b", "density", "g/cm³", 1.0, 1)
    assert passed(found, "a") and not passed(found, "b") and not passed(found, "c"), "what was not looked at has not passed"


def test_an_effect_beyond_the_margin_that_is_not_significant_is_not_called() -> None:
    assert decide([Row("T", "p", "K", compared(1.2, 0.6))])[0].decision == "cannot tell"
    assert decide([Row("T", "p", "K", compared(0.8, 0.2))])[0].decision == "cannot tell", "significant, and neither inside nor outside"


def test_false_alarms_of_a_whole_table() -> None:
    rng = np.random.default_rng(0)
    plain, alarms = 0, 0
    for _ in range(300):
        found = decide([Row(f"o{n}", "p", "K", compared(rng.normal(0, 0.1), margin=1e-9)) for n in range(20)])
        alarms += any(one.decision == "different" for one in found)
        plain += any(one.p_difference < 0.01 for one in found)
    assert alarms <= 8 < 30 < plain, (alarms, plain)


def test_one_that_is_truly_apart_is_found_among_many() -> None:
    rows = [Row(f"o{n}", "p", "K", compared(0.0, margin=0.2)) for n in range(20)]
    found = decide([*rows, Row("bad", "p", "K", compared(0.6, margin=0.2))])
    assert found[-1].decision == "different" and found[-1].p_adjusted == pytest.approx(21 * found[-1].p_difference)


def test_a_row_is_there_once() -> None:
    with pytest.raises(ValueError, match="twice"):
        decide([Row("T", "p", "K", compared(0.0))] * 2)
    assert decide([]) == []
