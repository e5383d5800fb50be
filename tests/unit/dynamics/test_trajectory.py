"""Trajectories refuse arrays that do not belong together."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from mpcheck.dynamics.trajectory import Series
from tests.unit.dynamics.samples import gas, series


@pytest.mark.parametrize(
    ("field", "value", "said"),
    [
        ("masses", np.ones(3), "masses has shape"),
        ("momenta", np.zeros((20, 40)), "momenta has shape"),
        ("energy", np.full(20, np.nan), "energy is not finite"),
        ("positions", np.full((20, 40, 3), np.inf), "positions is not finite"),
        ("stress", np.full((20, 6), np.inf), "stress is not finite"),
        ("time", np.zeros(20), "time does not grow"),
        ("masses", np.zeros(40), "every mass must be positive"),
        ("timestep_fs", 0.0, "timestep_fs"),
        ("timestep_fs", float("nan"), "timestep_fs"),
        ("cell", np.zeros((20, 3, 3)), "cell has no volume"),
        ("pbc", np.ones(2), "pbc has shape"),
    ],
)
def test_what_does_not_fit_is_refused(field: str, value: object, said: str) -> None:
    with pytest.raises(ValueError, match=said):
        replace(gas(), **{field: value})  # type: ignore[arg-type]


def test_stress_may_be_missing_and_everything_is_wide() -> None:
    one = replace(gas(), positions=gas().positions.astype(np.float32))
    assert one.positions.dtype == np.float64 and np.isnan(one.stress).all() and one.numbers.dtype == np.int64
    assert (one.frames, one.atoms, one.periodic) == (20, 40, True)


def test_series_may_lack_what_a_molecule_has_not() -> None:
    lacking = replace(series(), volume=np.full(50, np.nan), pressure=np.full(50, np.nan))
    assert np.isnan(lacking.volume).all() and lacking.total_energy == pytest.approx(2 * series().kinetic_energy)
    with pytest.raises(ValueError, match="temperature is not finite"):
        replace(series(), temperature=np.full(50, np.nan))
    with pytest.raises(ValueError, match="volume is not finite"):
        replace(series(), volume=np.full(50, np.inf))
    with pytest.raises(ValueError, match="temperature has shape"):
        replace(series(), temperature=np.zeros(49))


def test_equilibration_is_cut_off_frames_and_samples_alike() -> None:
    whole = replace(gas(), series=series(50))
    late = whole.after(1.5e-2)
    assert late.frames == 5 and late.time[0] >= 1.5e-2 and late.series is not None and len(late.series.time) == 50
    assert Series.names()[0] == "time"
    with pytest.raises(ValueError, match="time is empty"):
        whole.after(1.0)
