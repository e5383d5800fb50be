"""Observables as series: each in its unit, and a drift as the slope of a difference."""

from __future__ import annotations

from pathlib import Path

import numpy as np

from mpcheck.dynamics.compared import COMPARED, displaced, drift_samples
from mpcheck.dynamics.protocols.outcome import trajectory_of
from mpcheck.dynamics.protocols.protocol import Observable
from mpcheck.dynamics.protocols.running import Runner
from tests.unit.dynamics.toy import liquid, protocol


def test_every_observable_of_a_protocol_can_be_compared() -> None:
    from typing import get_args

    assert set(get_args(Observable)) == {*COMPARED, "drift_meV_per_atom_ps"}


def test_series_are_those_of_the_run(tmp_path: Path) -> None:
    own, atoms = protocol("npt"), liquid()
    trajectory = trajectory_of(Runner(atoms, own, 1, tmp_path, {}).run(40), atoms, own)
    found = {name: one.series(trajectory) for name, one in COMPARED.items()}
    assert all(np.isfinite(values).all() for values in found.values())
    assert all(len(values) == (9 if COMPARED[name].by_frame else 41) for name, values in found.items())
    assert 1.0 < found["density_g_per_cm3"].mean() < 3.0
    assert found["msd_A2"][0] == 0 < found["msd_A2"][-1]


def test_the_motion_of_the_whole_is_no_displacement(tmp_path: Path) -> None:
    own, atoms = protocol("nve"), liquid()
    run = Runner(atoms, own, 1, tmp_path, {}).run(20)
    before = displaced(trajectory_of(run, atoms, own))
    run.frames["positions"][:] += np.arange(len(run.frames["step"]))[:, None, None]
    np.testing.assert_allclose(displaced(trajectory_of(run, atoms, own)), before, atol=1e-9)


def test_a_drift_is_the_slope_of_the_difference(tmp_path: Path) -> None:
    own, atoms = protocol("nve"), liquid()
    run = Runner(atoms, own, 1, tmp_path, {}).run(100)
    trajectory = trajectory_of(run, atoms, own)
    conserved = run.series["conserved"]
    heated = conserved + 32 * 1e-3 * 2.0 * trajectory.series.time  # type: ignore[union-attr]  # two meV/atom/ps
    sample, reference = drift_samples(trajectory, trajectory, (heated, conserved))
    assert abs(sample.mean - 2.0) < 1e-6 and sample.error < 1e-6 and abs(reference) < 1.0
