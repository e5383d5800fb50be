"""Temperatures: the thermostat's, of all atoms and of each element, and what is wrong with them."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from ase import units

from mpcheck.dynamics.laws import temperature
from mpcheck.dynamics.protocols.outcome import trajectory_of
from mpcheck.dynamics.protocols.protocol import Protocol
from mpcheck.dynamics.protocols.running import Run, Runner
from tests.unit.dynamics.toy import liquid, protocol


def made(folder: Path, own: Protocol, steps: int, atoms: Any = None) -> Run:
    return Runner(liquid() if atoms is None else atoms, own, 5, folder, {}).run(steps)


@pytest.fixture(scope="module")
def thermostatted(tmp_path_factory: pytest.TempPathFactory) -> Run:
    """Six picoseconds; the first is left out by those who ask."""
    return made(tmp_path_factory.mktemp("langevin"), protocol("langevin", friction_per_fs=0.02), 1500)


def test_the_temperature_is_the_thermostats_and_a_wrong_one_is_seen(thermostatted: Run) -> None:
    own = protocol("langevin")
    series = [thermostatted.series["temperature"][200:]]
    assert temperature.temperature(series, [5.2], 100.0, 93).state == "holds"
    laws = temperature.equipartition([trajectory_of(thermostatted, _two_elements(liquid()), own)], 100.0, 1.0)
    assert len(laws) == 2 and all(law.state == "holds" for law in laws), laws
    hot = temperature.temperature(series, [5.2], 80.0, 93)
    assert hot.state == "broken" and "instead of 80" in hot.reason


def test_the_distribution_of_kinetic_energies_is_gammas_and_a_narrow_one_is_seen() -> None:
    drawn = np.random.default_rng(1).gamma(93 / 2, units.kB * 100.0, 600)
    assert temperature.distribution([drawn[:300], drawn[300:]], 100.0, 93).state == "holds"
    narrow = drawn.mean() + 0.3 * (drawn - drawn.mean())
    assert temperature.distribution([narrow], 100.0, 93).state == "broken"


def _two_elements(atoms: Any) -> Any:
    """Of one mass, so that the run is theirs, too."""
    both = atoms.copy()
    both.numbers[::2] = 10
    both.set_masses(atoms.get_masses())
    return both


def test_velocities_that_collapse_are_seen(thermostatted: Run) -> None:
    series = thermostatted.series["temperature"]
    assert temperature.temperature([(series * np.linspace(1.0, 0.2, len(series)))[200:]], [5.2], 100.0, 93).state == "broken"


def test_one_element_that_is_colder_is_seen(thermostatted: Run) -> None:
    momenta = thermostatted.frames["momenta"].copy()
    momenta[:, ::2] *= 0.7
    cold = replace(thermostatted, frames={**thermostatted.frames, "momenta": momenta})
    trajectory = trajectory_of(cold, _two_elements(liquid()), protocol("langevin"))
    found = {law.name: law.state for law in temperature.equipartition([trajectory], 100.0, 1.0)}
    assert found == {"temperature of Ne": "broken", "temperature of Ar": "holds"}


def test_short_runs_cannot_tell(tmp_path: Path) -> None:
    run = made(tmp_path, protocol("langevin"), 12)
    assert temperature.temperature([run.series["temperature"][:5]], [0.02], 100.0, 93).state == "cannot tell"
    assert temperature.distribution([run.series["kinetic"]], 100.0, 93).state == "cannot tell"


def test_samples_that_remember_each_other_are_not_many() -> None:
    """Sound runs that are as short as their own memory: their distribution is narrow, and says nothing."""
    random = np.random.default_rng(5)
    walks = [45.0 * units.kB * 100 + 0.01 * np.cumsum(random.standard_normal(100)) for _ in range(3)]
    assert temperature.distribution(walks, 100.0, 93).state == "cannot tell"
