"""Runs for other programs: every frame with what it had, and one line where there is none."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from ase.io import read as ase_read
from ase.io import write

import mpcheck.dynamics
from mpcheck._errors import InputError
from mpcheck.dynamics.protocols.running import Runner
from tests.unit.dynamics.toy import liquid, protocol


def test_frames_are_those_of_the_run(tmp_path: Path) -> None:
    own, atoms = protocol("nve"), liquid()
    run = Runner(atoms, own, 1, tmp_path / "run", {"protocol": own.model_dump(mode="json")}).run(40)
    frames = mpcheck.dynamics.read(tmp_path / "run")
    assert [f.info["step"] for f in frames] == list(run.frames["step"]) and frames[-1].info["time_fs"] == 160.0
    np.testing.assert_array_equal(frames[-1].positions, atoms.positions)
    np.testing.assert_array_equal(frames[-1].get_momenta(), atoms.get_momenta())
    np.testing.assert_array_equal(frames[-1].get_forces(), atoms.get_forces())
    assert frames[-1].get_potential_energy() == atoms.get_potential_energy() and frames[-1].pbc.all()
    write(tmp_path / "run.xyz", frames)
    assert len(ase_read(tmp_path / "run.xyz", ":")) == len(frames)


def test_no_run_is_a_line(tmp_path: Path) -> None:
    with pytest.raises(InputError, match="holds no run; name a directory"):
        mpcheck.dynamics.read(tmp_path)
    with pytest.raises(AttributeError):
        mpcheck.dynamics.write  # noqa: B018
