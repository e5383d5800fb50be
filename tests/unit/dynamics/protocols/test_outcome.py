"""Runs as trajectories: every figure in its unit, and steps in a row where they are known."""

from __future__ import annotations

from pathlib import Path

import numpy as np
from ase import units

from mpcheck.dynamics.protocols.outcome import masses_of, series_of, trajectory_of, triples_of
from mpcheck.dynamics.protocols.running import Runner
from tests.unit.dynamics.toy import liquid, protocol


def test_a_run_is_a_trajectory(tmp_path: Path) -> None:
    own, atoms = protocol("nve"), liquid()
    run = Runner(atoms, own, 1, tmp_path, {}).run(40)
    series, trajectory = series_of(run, own), trajectory_of(run, atoms, own)
    assert series.time[-1] == trajectory.time[-1] == 0.16 and len(series.time) == 41 and trajectory.frames == 9
    assert series.pressure[0] == run.series["pressure"][0] / units.GPa
    np.testing.assert_allclose(trajectory.energy[-1], series.potential_energy[-1])
    assert trajectory.largest_force[-1] == series.largest_force[-1]


def test_three_steps_in_a_row(tmp_path: Path) -> None:
    for every in (1, 2, 5):
        own, atoms = protocol("nve", frame_fs=4.0 * every), liquid()
        triples = triples_of(Runner(atoms, own, 1, tmp_path / str(every), {}).run(20), atoms, own)
        assert triples is not None
        assert (np.diff(triples.time) > 0).all()
        assert np.isclose(np.diff(triples.time), 0.004).sum() >= 2 * (20 // every - 1) - (0 if every > 2 else 20)
    assert triples_of(Runner(liquid(), own, 1, tmp_path / "none", {}).run(1), liquid(), own) is None


def test_masses_are_the_elements_or_the_structures_own() -> None:
    atoms = liquid()
    assert masses_of(atoms)[0] == 39.948
    atoms.set_masses([36.0] * len(atoms))
    assert masses_of(atoms)[0] == 36.0
