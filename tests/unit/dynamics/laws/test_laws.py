"""Laws of physics: sound dynamics obeys them, and each of a list of faults breaks the one that is about it."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from ase import units
from ase.md import nose_hoover_chain

from mpcheck.dynamics.laws import barostat, conservation, gradient, motion, temperature
from mpcheck.dynamics.protocols.integrators import Integrator
from mpcheck.dynamics.protocols.outcome import masses_of, trajectory_of, triples_of
from mpcheck.dynamics.protocols.protocol import Protocol
from mpcheck.dynamics.protocols.running import Run, Runner
from tests.unit.dynamics.toy import Argon, liquid, protocol


def made(folder: Path, own: Protocol, steps: int, atoms: Any = None) -> Run:
    return Runner(liquid() if atoms is None else atoms, own, 5, folder, {}).run(steps)


def test_the_energy_goes_with_the_square_of_the_time_step(tmp_path: Path) -> None:
    own = protocol("nve")
    run, halved = made(tmp_path / "a", own, 400), made(tmp_path / "b", own.model_copy(update={"timestep_fs": 2.0}), 800)
    assert conservation.fluctuation(run.series["conserved"], run.series["kinetic"]).state == "holds"
    found = conservation.order(run.series["conserved"], halved.series["conserved"], 4.0)
    assert found.state == "holds" and abs(found.measured - 2) < 0.5, found


def test_a_time_step_that_is_too_large_is_seen(tmp_path: Path) -> None:
    own = protocol("nve", timestep_fs=20.0, sample_fs=20.0, length_ps=4.0)
    atoms = liquid(temperature=500.0)
    run = made(tmp_path, own.model_copy(update={"temperature_K": 500.0}), 300, atoms)
    small = made(tmp_path / "small", protocol("nve", temperature_K=500.0), 300, liquid(temperature=500.0))
    ratios = [r.series["conserved"].std() / r.series["kinetic"].std() for r in (run, small)]
    assert conservation.fluctuation(small.series["conserved"], small.series["kinetic"]).state == "holds", ratios
    assert conservation.fluctuation(run.series["conserved"] * 1.0, run.series["kinetic"]).measured > 10 * ratios[1]


def test_momentum_is_conserved_and_a_push_is_seen(tmp_path: Path) -> None:
    own = protocol("nve")
    atoms = liquid()
    trajectory = trajectory_of(made(tmp_path / "a", own, 200, atoms), atoms, own)
    assert conservation.momentum(trajectory, 0.0).state == "holds"
    pushed = liquid()
    plain = pushed.calc.calculate

    def push(*args: Any, **kwargs: Any) -> None:
        plain(*args, **kwargs)
        pushed.calc.results["forces"] = pushed.calc.results["forces"] + [1e-4, 0, 0]

    pushed.calc.calculate = push
    trajectory = trajectory_of(made(tmp_path / "b", own, 200, pushed), pushed, own)
    found = conservation.momentum(trajectory, 1e-6)
    assert found.state == "broken" and "momentum of the whole" in found.reason


def test_turning_is_conserved_where_nothing_is_periodic_and_a_twist_is_seen(tmp_path: Path) -> None:
    own = protocol("nve")
    for curl, state in ((0.0, "holds"), (0.1, "broken")):
        atoms = liquid(curl=curl)
        atoms.pbc = False
        trajectory = trajectory_of(made(tmp_path / str(curl), own, 100, atoms), atoms, own)
        found = conservation.angular_momentum(trajectory, 1e-6)
        assert found is not None and found.state == state
    assert conservation.angular_momentum(trajectory_of(made(tmp_path / "p", own, 40), liquid(), own), 0.0) is None


def test_positions_follow_momenta(tmp_path: Path) -> None:
    own = protocol("nve")
    atoms = liquid()
    triples = triples_of(made(tmp_path, own, 100, atoms), atoms, own)
    assert triples is not None
    assert [law.state for law in motion.increments(triples)] == ["holds", "holds"]


def test_a_wrong_unit_of_mass_is_seen(tmp_path: Path) -> None:
    own = protocol("nve")
    atoms = liquid()
    atoms.set_masses(atoms.get_masses() * 1.1)
    run = made(tmp_path, own, 100, atoms)
    plain = liquid()
    np.testing.assert_array_equal(masses_of(plain), plain.get_masses())
    triples = triples_of(run, plain, own)
    assert triples is not None
    assert motion.increments(triples)[0].state == "broken"


@pytest.mark.parametrize("far", [0.0, 1e4])
def test_positions_in_float32_are_seen(far: float, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    own = protocol("nve")
    atoms = liquid()
    atoms.positions += far
    plain = Integrator.step

    def step(self: Integrator, count: int) -> None:
        for _ in range(count):
            plain(self, 1)
            self.atoms.positions = self.atoms.positions.astype(np.float32)

    monkeypatch.setattr(Integrator, "step", step)
    triples = triples_of(made(tmp_path, own, 100, atoms), atoms, own)
    assert triples is not None
    found = {law.name: law for law in motion.increments(triples)}
    assert found["positions in float64"].state == "broken"
    assert found["increments"].state == ("broken" if far else "holds")


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
    drawn = np.random.default_rng(1).gamma(93 / 2, units.kB * 100.0, 400)
    assert temperature.distribution([drawn[:200], drawn[200:]], 100.0, 93).state == "holds"
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


def _answer(folder: Path) -> Any:
    own = protocol("npt", pressure_bar=5000.0)
    run = made(folder, own, 100)
    target = (100.0, 5000.0 * units.bar, 500.0)
    return barostat.response(run.series["volume"], run.series["pressure"], run.series["kinetic"], 32, own.sample_fs, target)


def test_the_barostat_has_the_mass_of_its_time_constant(tmp_path: Path) -> None:
    found = _answer(tmp_path)
    assert found.state == "holds" and abs(found.measured - 1) < 0.2, found


@pytest.mark.parametrize("factor", [3.0, 1 / 3])
def test_a_barostat_mass_that_is_wrong_by_three_is_seen(factor: float, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    plain = nose_hoover_chain.IsotropicMTKBarostat.__init__

    def wrong(self: Any, *args: Any, **kwargs: Any) -> None:
        plain(self, *args, **kwargs)
        self._W *= factor

    monkeypatch.setattr(nose_hoover_chain.IsotropicMTKBarostat, "__init__", wrong)
    found = _answer(tmp_path)
    assert found.state == "broken" and found.measured == pytest.approx(factor, rel=0.25)


@pytest.mark.parametrize(("curl", "state"), [(0.0, "holds"), (0.01, "broken")])
def test_forces_that_are_no_gradient_are_seen(curl: float, state: str) -> None:
    places = [liquid(seed) for seed in range(3)]
    for atoms in places:
        atoms.pbc = False  # a field that turns has no period
    exact, judged = Argon(), Argon(curl=curl)
    rounding = gradient.noise(places, judged, exact, 0)
    assert gradient.gradient(places, judged, rounding, 0).state == state


def test_energies_of_few_digits_cannot_tell() -> None:
    class Coarse(Argon):
        def calculate(self, *args: Any, **kwargs: Any) -> None:
            super().calculate(*args, **kwargs)
            self.results["energy"] = np.round(self.results["energy"] - 7.0)

    places = [liquid(seed) for seed in range(3)]
    rounding = gradient.noise(places, Coarse(), Argon(), 0)
    assert rounding.energy >= 1.0
    assert gradient.gradient(places, Coarse(), rounding, 0).state == "cannot tell"


def test_the_step_of_a_type() -> None:
    assert gradient.grain([1507.0, 1508.0]) == 1.0
    assert gradient.grain([float(np.float32(0.1))]) == 2.0**-27
    assert gradient.grain([0.0, float("nan")]) == 0.0


@pytest.mark.parametrize(("far", "state"), [(0.0, "holds"), (1e4, "broken")])
def test_coordinates_far_from_the_origin_are_seen(far: float, state: str) -> None:
    places = [liquid(seed) for seed in range(3)]
    judged = Argon(narrow=np.float32)
    rounding = gradient.noise(places, judged, Argon(), 0)
    places[-1].positions += far
    found = gradient.resolved(places[-1], judged, rounding)
    assert found.state == state, found
