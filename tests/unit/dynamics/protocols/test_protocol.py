"""Protocols: what is refused, and what the built-in ones are."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
from ase import Atoms

from mpcheck._errors import InputError
from mpcheck.dynamics.protocols.integrators import degrees_of_freedom
from mpcheck.dynamics.protocols.protocol import builtin, get_protocol
from tests.unit.dynamics.toy import liquid, protocol


def test_the_built_in_ones_are_there() -> None:
    assert [p.ensemble for p in builtin().values()] == ["nve", "langevin", "npt"]
    assert all(p.margins for p in builtin().values())


@pytest.mark.parametrize(
    ("changes", "told"),
    [
        ({"friction_per_fs": 0.1}, "ensemble nve takes no friction_per_fs"),
        ({"timestep_fs": -1.0}, "timestep_fs"),
        ({"sample_fs": 5.0}, "sample_fs is 5; give a multiple of timestep_fs, 4"),
        ({"frame_fs": 2.0}, "frame_fs is 2"),
        ({"length_ps": 0.02}, "fewer than ten samples"),
        ({"temperature_K": float("nan")}, "temperature_K"),
        ({"margins": {"temperature_K": {}}}, "give absolute or relative"),
        ({"margins": {"colour": {"absolute": 1}}}, "colour"),
    ],
)
def test_what_is_no_protocol_is_refused(changes: dict[str, Any], told: str) -> None:
    with pytest.raises(ValueError, match=told):
        protocol("nve", **changes)


def test_a_file_of_the_users_is_read_and_a_wrong_one_is_a_line(tmp_path: Path) -> None:
    place = tmp_path / "own.yaml"
    place.write_text(
        "name: own\ntitle: mine\nensemble: nve\ntimestep_fs: 1\ntemperature_K: 300\nequilibration_ps: 1\nlength_ps: 1\nlong_ps: 2\n"
        "sample_fs: 1\nframe_fs: 10\nmargins: {temperature_K: {relative: 0.01}}\n"
    )
    assert get_protocol(str(place)).timestep_fs == 1
    place.write_text(place.read_text().replace("timestep_fs: 1", "timestep: 1"))
    with pytest.raises(InputError, match=r"protocol file .*own.yaml.*timestep"):
        get_protocol(str(place))
    with pytest.raises(InputError, match="unknown protocol 'langvin'"):
        get_protocol("langvin")
    with pytest.raises(InputError, match="does not exist"):
        get_protocol(str(tmp_path / "none.yaml"))


def test_what_an_ensemble_needs_is_asked_for() -> None:
    with pytest.raises(ValueError, match="ensemble langevin needs friction_per_fs"):
        protocol("langevin", friction_per_fs=None)


@pytest.mark.parametrize(
    ("atoms", "ensemble", "count"),
    [
        (liquid(), "nve", 93), (liquid(), "langevin", 93), (liquid(), "npt", 96),
        (Atoms("H2", [[0, 0, 0], [0, 0, 0.7]]), "nve", 1), (Atoms("OH2", [[0, 0, 0], [0, 0, 1], [1, 0, 0]]), "nve", 3),
        (Atoms("OH2", [[0, 0, 0], [0, 0, 1], [1, 0, 0]]), "langevin", 6),
    ],
)  # fmt: skip
def test_degrees_of_freedom(atoms: Atoms, ensemble: str, count: int) -> None:
    assert degrees_of_freedom(atoms, protocol(ensemble)) == count
