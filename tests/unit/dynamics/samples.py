"""Cheap simulations in numpy: harmonic and anharmonic lattices, thermostatted or not, with real correlations and exact answers."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
from ase import units
from scipy import signal

from mpcheck.dynamics.trajectory import Series, Trajectory

Floats = npt.NDArray[np.float64]


@dataclass(frozen=True)
class Oscillators:
    """Independent ones in three dimensions: mass in amu, angular frequency in radians per fs, friction per fs, timestep in fs."""

    mass: float = 12.0
    frequency: float = 0.05
    friction: float = 0.01
    timestep: float = 2.0

    @property
    def spring(self) -> float:
        """eV/Å²."""
        return self.mass * (self.frequency / units.fs) ** 2


def langevin(rng: np.random.Generator, toy: Oscillators, shape: tuple[int, ...], kelvin: float, steps: int) -> Iterator[tuple[Floats, Floats]]:
    """Positions and momenta [*shape, 3] after every step of BAOAB (Leimkuhler & Matthews 2013), from an equilibrated start."""
    dt, thermal = toy.timestep * units.fs, np.sqrt(toy.mass * units.kB * kelvin)
    x = rng.standard_normal((*shape, 3)) * np.sqrt(units.kB * kelvin / toy.spring)
    p = rng.standard_normal((*shape, 3)) * thermal
    kept = np.exp(-toy.friction * toy.timestep)
    for _ in range(steps):
        p -= 0.5 * dt * toy.spring * x
        x += 0.5 * dt * p / toy.mass
        p = kept * p + np.sqrt(1.0 - kept**2) * thermal * rng.standard_normal(p.shape)
        x += 0.5 * dt * p / toy.mass
        p -= 0.5 * dt * toy.spring * x
        yield x, p


def temperatures(rng: np.random.Generator, toy: Oscillators, runs: int, atoms: int, kelvin: float, steps: int, every: int = 5) -> Floats:
    """[runs, samples] K, instantaneous."""
    rows = []
    for step, (_, p) in enumerate(langevin(rng, toy, (runs, atoms), kelvin, steps)):
        if step % every == 0:
            rows.append((p**2).sum(axis=(1, 2)) / (toy.mass * 3 * atoms * units.kB))
    return np.array(rows).T


def autoregressive(rng: np.random.Generator, samples: int, tau: float, mean: float = 0.0, spread: float = 1.0) -> Floats:
    """[samples] of an Ornstein-Uhlenbeck process with a correlation time of tau samples."""
    phi = np.exp(-1.0 / tau)
    noise = rng.standard_normal(samples) * np.sqrt(1.0 - phi**2)
    noise[0] = rng.standard_normal()
    return mean + spread * np.asarray(signal.lfilter([1.0], [1.0, -phi], noise))


Forces = Callable[[Floats], Floats]


def lattice_forces(x: Floats) -> Floats:
    """A ring of atoms bound to their places and to neighbours with a quartic part: chaotic. eV/Å for displacements [atoms, 3]."""
    bond = np.roll(x, -1, axis=0) - x
    pull = bond + 8.0 * (bond**2).sum(axis=1, keepdims=True) * bond
    return 2.0 * (pull - np.roll(pull, 1, axis=0)) - 1.0 * x


def lattice_energy(x: Floats) -> float:
    """eV; what :func:`lattice_forces` is the gradient of."""
    square = ((np.roll(x, -1, axis=0) - x) ** 2).sum(axis=1)
    return float((square + 4.0 * square**2).sum() + 0.5 * (x**2).sum())


def verlet(x: Floats, p: Floats, masses: Floats, steps: int, timestep: float, forces: Forces = lattice_forces) -> tuple[Floats, Floats]:
    """Positions and momenta [steps + 1, atoms, 3] of velocity Verlet."""
    dt, m = timestep * units.fs, masses[:, None]
    positions, momenta = [x.copy()], [p.copy()]
    force = forces(x)
    for _ in range(steps):
        p = p + 0.5 * dt * force
        x = x + dt * p / m
        force = forces(x)
        p = p + 0.5 * dt * force
        positions.append(x)
        momenta.append(p)
    return np.array(positions), np.array(momenta)


def trajectory(
    positions: Floats, momenta: Floats, masses: Floats, timestep: float = 1.0, every: int = 1, numbers: npt.ArrayLike = 6, cell: float = 0.0
) -> Trajectory:
    """Frames of a simulation, periodic where the edge of its cubic cell in Å is given."""
    frames, atoms = len(positions), positions.shape[1]
    return Trajectory(
        numbers=np.broadcast_to(np.asarray(numbers, dtype=np.int64), (atoms,)),
        masses=masses,
        time=np.arange(frames) * timestep * every * 1e-3,
        positions=positions,
        momenta=momenta,
        cell=np.broadcast_to(np.eye(3) * cell, (frames, 3, 3)),
        pbc=np.array([cell > 0] * 3),
        energy=np.zeros(frames),
        largest_force=np.ones(frames),
        stress=np.full((frames, 6), np.nan),
        timestep_fs=timestep,
    )


def gas(seed: int = 0, frames: int = 20, atoms: int = 40, cell: float = 12.0, kelvin: float = 300.0, numbers: npt.ArrayLike = 6) -> Trajectory:
    """Independent atoms anywhere in a cube, momenta at a temperature."""
    rng = np.random.default_rng(seed)
    masses = np.full(atoms, 12.0)
    momenta = rng.standard_normal((frames, atoms, 3)) * np.sqrt(masses[:, None] * units.kB * kelvin)
    return trajectory(rng.uniform(0, cell, (frames, atoms, 3)), momenta, masses, numbers=numbers, cell=cell)


def series(samples: int = 50) -> Series:
    """Something of every field."""
    rows = {name: np.linspace(1.0, 2.0, samples) for name in Series.names()}
    return Series(**rows)
