"""Ensembles that are what they claim, and planted ones that are not."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
from ase import units

from mpcheck.dynamics.observables.thermal import group_freedom, kinetic_energy, whole_and_inner
from mpcheck.dynamics.statistics.ensemble import State, ensemble_check, equipartition, kinetic_distribution
from mpcheck.dynamics.trajectory import Floats
from tests.unit.dynamics.samples import Oscillators, langevin, trajectory

TOY = Oscillators(frequency=0.03, friction=0.05)
ATOMS, STEPS, EVERY = 16, 6000, 10


def simulated(seed: int, kelvin: float = 300.0, runs: int = 1) -> tuple[Floats, Floats]:
    """Momenta [samples, runs, atoms, 3] and potential energies [samples, runs] of oscillators at a temperature."""
    momenta, potential = [], []
    for step, (x, p) in enumerate(langevin(np.random.default_rng(seed), TOY, (runs, ATOMS), kelvin, STEPS)):
        if step % EVERY == 0:
            momenta.append(p.copy())
            potential.append(0.5 * TOY.spring * (x**2).sum(axis=(1, 2)))
    return np.array(momenta), np.array(potential)


@pytest.fixture(scope="module")
def sound() -> tuple[Floats, Floats]:
    return simulated(0, runs=60)


def kinetics(momenta: Floats) -> Floats:
    """[runs, samples] eV."""
    return (momenta**2).sum(axis=(2, 3)).T / (2 * TOY.mass)


def test_sound_runs_pass_as_often_as_they_should(sound: tuple[Floats, Floats]) -> None:
    found = [kinetic_distribution(one, 300.0, 3 * ATOMS) for one in kinetics(sound[0])]
    assert 0.01 <= np.mean([one.p < 0.1 for one in found]) <= 0.25
    assert np.mean([one.mean_sigmas > 3 for one in found]) <= 0.05 and np.mean([one.width_sigmas > 3 for one in found]) <= 0.05
    assert np.mean([one.mean_kelvin for one in found]) == pytest.approx(300.0, rel=0.01)
    assert np.mean([one.width_kelvin for one in found]) == pytest.approx(300.0, rel=0.02) and min(one.effective for one in found) > 100


def test_a_thermostat_at_another_temperature_and_a_wrong_unit_of_mass(sound: tuple[Floats, Floats]) -> None:
    kinetic = kinetics(sound[0])[0]
    assert kinetic_distribution(kinetic, 330.0, 3 * ATOMS).p < 1e-4
    wrong = kinetic_distribution(kinetic / 1.66, 300.0, 3 * ATOMS)
    assert wrong.p < 1e-10 and wrong.mean_kelvin == pytest.approx(300 / 1.66, rel=0.03)


def test_a_thermostat_that_holds_the_mean_and_not_the_width(sound: tuple[Floats, Floats]) -> None:
    """Weak coupling by scaling velocities: the right temperature, too narrow a distribution."""
    kinetic = kinetics(sound[0])[1]
    narrow = kinetic.mean() + 0.4 * (kinetic - kinetic.mean())
    found = kinetic_distribution(narrow, kinetic.mean() / (1.5 * ATOMS * units.kB), 3 * ATOMS)
    assert found.mean_sigmas < 1.0 and found.width_sigmas > 5 and found.p < 1e-4


def test_degrees_of_freedom_matter_and_may_be_a_fraction(sound: tuple[Floats, Floats]) -> None:
    kinetic = kinetics(sound[0])[0]
    assert kinetic_distribution(kinetic, 300.0, 3 * ATOMS - 6).p < 0.01
    assert kinetic_distribution(kinetic, 300.0, 3 * ATOMS - 0.1).mean_kelvin == pytest.approx(
        kinetic_distribution(kinetic, 300.0, 48).mean_kelvin, rel=3e-3
    )


def test_degrees_of_freedom_that_no_number_of_atoms_has(sound: tuple[Floats, Floats]) -> None:
    found = kinetic_distribution(kinetics(sound[0])[0], 300.0, 46.0)
    error = 300.0 * np.sqrt(2 / 46 / found.effective)
    assert found.mean_sigmas == pytest.approx((found.mean_kelvin - 300.0) / error, rel=0.25) and found.mean_kelvin > 305


def test_a_species_that_is_colder_is_named(sound: tuple[Floats, Floats]) -> None:
    masses = np.full(ATOMS, TOY.mass)
    cold = np.arange(ATOMS) < 6

    def groups(momenta: Floats) -> dict[str, tuple[Floats, float]]:
        return {name: (kinetic_energy(momenta[:, who], masses[who]), group_freedom(masses, who, False)) for name, who in (("H", cold), ("O", ~cold))}

    momenta = sound[0][:, 2].copy()
    assert min(one.p_adjusted for one in equipartition(groups(momenta), 300.0).values()) > 0.01
    momenta[:, cold] *= np.sqrt(0.8)
    momenta[:, ~cold] *= np.sqrt((ATOMS - 0.8 * 6) / 10)  # the total is as before
    found = equipartition(groups(momenta), 300.0)
    assert found["H"].p_adjusted < 1e-3 and found["H"].mean_kelvin < 260 and found["O"].mean_kelvin > 310
    whole = kinetic_energy(momenta, masses)
    assert kinetic_distribution(whole, 300.0, 3 * ATOMS).mean_sigmas < 4, "the total alone hardly shows it"


def test_a_flying_ice_cube(sound: tuple[Floats, Floats]) -> None:
    """Energy goes from vibrations within molecules into their flight; the temperature is right."""
    momenta = sound[0][:, 3].copy()
    pairs = np.arange(ATOMS) // 2
    centre = np.repeat(0.5 * (momenta[:, ::2] + momenta[:, 1::2]), 2, axis=1)
    iced = 0.6 * (momenta - centre) + np.sqrt(2 - 0.36) * centre
    for values, low, high in ((momenta, 0.01, 1.0), (iced, 0.0, 1e-4)):
        one = trajectory(np.zeros_like(values), values, np.full(ATOMS, TOY.mass))
        outer, inner = whole_and_inner(one, pairs)
        found = equipartition({"flight": (outer, 24.0), "within": (inner, 24.0)}, 300.0)
        assert all(low <= kind.p_adjusted <= high for kind in found.values())
        assert (outer + inner).mean() == pytest.approx(kinetic_energy(values, one.masses).mean())


def test_two_temperatures_have_the_ratio_of_boltzmann(sound: tuple[Floats, Floats]) -> None:
    warm = simulated(1, 320.0, runs=20)[1].T
    cold = sound[1].T
    found = [ensemble_check(State(300.0, a), State(320.0, b), ATOMS) for a, b in zip(cold, warm, strict=False)]
    assert np.mean([one.sigmas > 2 for one in found]) <= 0.25 and np.mean([one.p for one in found]) > 0.3
    wrong = [ensemble_check(State(300.0, a), State(370.0, b), ATOMS) for a, b in zip(cold, warm, strict=False)]
    assert np.mean([one.sigmas > 2.5 for one in wrong]) > 0.8, "a thermostat that gives a third of the step it was told"


def test_in_npt_enthalpies_are_compared() -> None:
    rng = np.random.default_rng(6)
    pressure, atoms = 0.5, 30
    work = pressure * units.GPa

    def state(kelvin: float, at: float = pressure) -> State:
        enthalpy = rng.gamma(45, units.kB * kelvin, 800)
        volume = 900.0 + rng.normal(0, 20, 800)
        return State(kelvin, enthalpy - work * volume, at, volume)

    assert ensemble_check(state(300.0), state(315.0), atoms).sigmas < 3.5
    assert ensemble_check(state(300.0), replace(state(315.0), temperature=350.0), atoms).p < 1e-3
    with pytest.raises(ValueError, match="two temperatures at one pressure"):
        ensemble_check(state(300.0), state(315.0, 1.0), atoms)


def test_too_little_is_refused() -> None:
    with pytest.raises(ValueError, match="independent samples are too few"):
        kinetic_distribution(np.linspace(1, 2, 200), 300.0, 30)
    with pytest.raises(ValueError, match="no degrees of freedom"):
        kinetic_distribution(np.ones(100), 300.0, 0)
    rng = np.random.default_rng(0)
    with pytest.raises(ValueError, match=r"do not overlap|cannot be compared"):
        ensemble_check(State(300.0, rng.normal(0, 1, 400)), State(310.0, rng.normal(1000, 1, 400)), 10)
