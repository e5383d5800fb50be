"""Observables by name: those that a run has."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from mpcheck.dynamics.observables.named import OBSERVABLES, observed
from tests.unit.dynamics.samples import series

MASSES = np.full(10, 12.0)


def test_a_run_has_them_all() -> None:
    found = observed(series(), MASSES)
    assert set(found) == set(OBSERVABLES) and found["potential energy"] == pytest.approx(series().potential_energy / 10)
    assert found["density"][0] == pytest.approx(120 * 1.66054, rel=1e-4), "120 amu in 1 Å³"


def test_a_molecule_has_no_density() -> None:
    free = replace(series(), volume=np.full(50, np.nan), pressure=np.full(50, np.nan))
    assert set(OBSERVABLES) - set(observed(free, MASSES)) == {"density", "pressure"}


def test_one_that_is_lost_on_the_way_is_told() -> None:
    lost = series().pressure.copy()
    lost[-1] = np.nan
    with pytest.raises(ValueError, match="pressure is not finite in some samples"):
        observed(replace(series(), pressure=lost), MASSES)
