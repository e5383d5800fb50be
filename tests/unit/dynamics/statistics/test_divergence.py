"""A chaotic lattice parts from its twin, and by force noise as fast as predicted."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
from ase import units

from mpcheck.dynamics.statistics.divergence import Growth, agreement, frequencies, growth, kicks, predicted, separation
from mpcheck.dynamics.trajectory import Floats, Trajectory
from tests.unit.dynamics.samples import Oscillators, lattice_forces, trajectory, verlet

MASSES = np.tile([1.0, 12.0], 8)
STEP, EVERY, STEPS = 0.5, 20, 14_000
PERTURBATION = 1e-10


class Runs:
    """A lattice at 300 K in float64, its twin, and what noise of its forces makes of it."""

    def __init__(self) -> None:
        rng = np.random.default_rng(3)
        x, p = 0.05 * rng.standard_normal((16, 3)), rng.standard_normal((16, 3)) * np.sqrt(MASSES[:, None] * units.kB * 300)
        start = verlet(x, p, MASSES, 2000, STEP)
        self.x, self.p = start[0][-1], start[1][-1]
        positions, momenta = verlet(self.x, self.p, MASSES, STEPS, STEP)
        self.own: Trajectory = trajectory(positions, momenta, MASSES, STEP)
        self.time = self.own.time[::EVERY]
        away = rng.standard_normal((16, 3))
        away *= PERTURBATION / np.sqrt((away**2).sum(axis=1).mean())
        self.apart = separation(verlet(self.x + away, self.p, MASSES, STEPS, STEP)[0][::EVERY], positions[::EVERY])
        self.twin = growth(self.time, self.apart, 10 * PERTURBATION)
        self.frequencies = frequencies(self.own)

    def noisy(self, noise: float, seed: int = 9) -> Floats:
        rng = np.random.default_rng(seed)
        moved, _ = verlet(self.x, self.p, MASSES, STEPS, STEP, lambda y: lattice_forces(y) + noise * rng.standard_normal(y.shape))
        return separation(moved[::EVERY], self.own.positions[::EVERY])

    def expected(self, noise: float) -> Floats:
        return predicted(self.time, kicks(noise, MASSES, self.frequencies, STEP), self.time, self.apart, self.twin)


@pytest.fixture(scope="module")
def runs() -> Runs:
    return Runs()


def test_a_twin_parts_exponentially(runs: Runs) -> None:
    assert runs.apart[0] == pytest.approx(PERTURBATION, rel=1e-5)
    assert 2.0 < runs.twin.exponent < 6.0 and runs.twin.error < 0.1 * runs.twin.exponent
    assert runs.apart[runs.time >= runs.twin.high_ps][0] > 1e-3, "through seven decades"


@pytest.mark.parametrize("noise", [1e-8, 1e-6, 1e-4])
def test_force_noise_parts_as_fast_as_predicted(runs: Runs, noise: float) -> None:
    found = agreement(runs.time, runs.noisy(noise), runs.expected(noise), runs.twin, 3.0)
    assert found.outcome == "as predicted" and 1 / 3 < found.ratio < 3 and found.samples > 50


def test_noise_that_is_a_hundred_times_stronger_than_said_is_seen(runs: Runs) -> None:
    measured = runs.noisy(1e-4)
    assert agreement(runs.time, measured, runs.expected(1e-6), runs.twin, 3.0).outcome == "faster"
    assert agreement(runs.time, runs.noisy(1e-8), runs.expected(1e-6), runs.twin, 3.0).outcome == "slower"
    vague = replace(runs.twin, error=runs.twin.exponent)
    assert agreement(runs.time, measured, runs.expected(1e-4), vague, 3.0).outcome == "cannot tell", "an exponent that is not known"


def test_an_error_that_keeps_its_sign_counts_more(runs: Runs) -> None:
    rounding, smooth = (kicks(1e-6, MASSES, runs.frequencies, STEP, smooth=kind) for kind in (False, True))
    assert rounding.coherent == 1.0 and 5 < smooth.coherent < 40 and smooth.displacement == rounding.displacement
    assert rounding.speed == pytest.approx(np.sqrt(np.mean(3 * (1e-6 * STEP * units.fs / MASSES) ** 2)) * units.fs * 1e3), (
        "the kick of one step, in Å/ps"
    )


def test_a_kick_alone_moves_freely_at_first(runs: Runs) -> None:
    """Before anything vibrates, kicks add up to √(Σ(k dt)²) of the speed of one."""
    one = kicks(1e-6, MASSES, runs.frequencies, STEP)
    early = predicted(runs.own.time[:4], one, runs.time, runs.apart, runs.twin)
    assert early[0] == 0.0 and early[3] == pytest.approx(one.speed * one.step_ps * np.sqrt(1 + 4 + 9), rel=0.05)


def test_frequencies_of_an_oscillator() -> None:
    toy = Oscillators(mass=12.0, frequency=0.05)
    rng = np.random.default_rng(0)
    x, p = rng.standard_normal((5, 3)) * 0.1, rng.standard_normal((5, 3))
    positions, momenta = verlet(x, p, np.full(5, 12.0), 2000, 0.5, lambda y: -toy.spring * y)
    one = trajectory(positions, momenta, np.full(5, 12.0), 0.5)
    assert frequencies(one) == pytest.approx(50.0, rel=0.03)
    with pytest.raises(ValueError, match="consecutive"):
        frequencies(replace(one, time=one.time * 3))
    with pytest.raises(ValueError, match="does not move"):
        frequencies(replace(one, momenta=momenta * 0))


def test_growth_of_an_exact_exponential_and_of_too_little() -> None:
    time = np.linspace(0, 5, 200)
    apart = 1e-10 * np.exp(4 * time)
    found = growth(time, apart, 1e-9)
    assert found.exponent == pytest.approx(4.0) and found.amplitude == pytest.approx(1e-10, rel=1e-6) and found.low_ps > 0.5
    with pytest.raises(ValueError, match="8 are needed"):
        growth(time[:3], apart[:3], 1e-11)
    with pytest.raises(ValueError, match="8 are needed"):
        growth(time, np.full(200, 0.5), 1e-9)
    with pytest.raises(ValueError, match="frame by frame"):
        separation(np.zeros((3, 4, 3)), np.zeros((2, 4, 3)))


def test_no_separation_is_no_agreement(runs: Runs) -> None:
    flat = Growth(1.0, 0.1, 1e-10, 0.0, 1.0, 10)
    with pytest.raises(ValueError, match="exploded"):
        agreement(np.arange(5.0), np.array([0, 1e-9, np.nan, 1, 1]), np.ones(5), flat, 3.0)
    with pytest.raises(ValueError, match="small and not zero"):
        agreement(np.arange(5.0), np.zeros(5), np.ones(5), flat, 3.0)
    with pytest.raises(ValueError, match="apart from its start"):
        predicted(runs.time, kicks(1e-6, MASSES, runs.frequencies, STEP), runs.time, runs.apart * 0, runs.twin)
