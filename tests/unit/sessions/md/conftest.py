"""The built-in model on two molecules of water, protocols of a few steps, and the work of a session on them, done once."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from ase import Atoms
from ase.build import molecule
from ase.io import write

from mpcheck.records.record import Record
from mpcheck.sessions.md import MdOptions
from mpcheck.sessions.md.work import MdWork

OWN = """
name: {name}
title: short
ensemble: {ensemble}
timestep_fs: 0.5
temperature_K: 300
{more}
equilibration_ps: {ready}
length_ps: 0.02
long_ps: 1
sample_fs: 0.5
frame_fs: 2
margins: {{temperature_K: {{relative: 0.01}}, potential_meV_per_atom: {{absolute: 1}}, neighbours: {{relative: 0.02}}, msd_A2: {{relative: 0.2}}}}
"""


def pair() -> Atoms:
    """Two molecules that a hydrogen bond holds."""
    both = molecule("H2O")
    other = molecule("H2O")
    other.rotate(70, "y")
    other.positions += [0.3, 0.2, 2.9]
    return both + other


@pytest.fixture(scope="session")
def place(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with a structure and protocols."""
    folder = tmp_path_factory.mktemp("md")
    write(folder / "pair.xyz", pair())
    chains = "pressure_bar: 1\nthermostat_fs: 100\nbarostat_fs: 500"
    own = {"nve": ("nve", ""), "langevin": ("langevin", "friction_per_fs: 0.02"), "npt": ("npt", chains)}
    for name, (ensemble, more) in own.items():
        (folder / f"{name}.yaml").write_text(OWN.format(name=name, ensemble=ensemble, more=more, ready=0.02))
    return folder


def options(place: Path, *protocols: str, **more: Any) -> MdOptions:
    """Of a session there."""
    own: dict[str, Any] = {
        "systems": (str(place / "pair.xyz"),), "cache": place / "cache", "protocols": tuple(str(place / f"{p}.yaml") for p in protocols),
        "policies": ("float32",), "seeds": 2,
    }  # fmt: skip
    return MdOptions(**{**own, **more})


def done(work: MdWork) -> list[Record]:
    """All records of a session."""
    return [record for piece in work.pieces() for record in work.records(piece)]


@pytest.fixture(scope="session")
def sound(place: Path) -> list[Record]:
    """Of sound dynamics in float32."""
    return done(MdWork(options(place, "nve", "langevin")))


Doing = Callable[[MdWork], list[Record]]


@pytest.fixture(autouse=True, scope="session")
def one_run() -> Iterator[None]:
    """Sessions of these tests are runs of their own, whatever runs the tests: workers of pytest-xdist have one run in common."""
    with pytest.MonkeyPatch.context() as patch:
        patch.delenv("PYTEST_XDIST_TESTRUNUID", raising=False)
        yield
