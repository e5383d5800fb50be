"""A run as a trajectory: what observables and statistics look at."""

from __future__ import annotations

import numpy as np
from ase import Atoms, units
from ase.data import atomic_masses

from mpcheck.dynamics.protocols.protocol import Protocol
from mpcheck.dynamics.protocols.running import Run
from mpcheck.dynamics.trajectory import Floats, Series, Trajectory


def masses_of(atoms: Atoms) -> Floats:
    """[atoms] amu: of the elements, or isotopes' where the structure brings them; not read off the integrator, whose own are judged by them."""
    return np.asarray(atoms.get_masses() if atoms.has("masses") else atomic_masses[atoms.numbers], dtype=np.float64)


def series_of(run: Run, protocol: Protocol) -> Series:
    """Scalars by sample."""
    found = run.series
    return Series(
        time=found["step"] * protocol.timestep_fs * 1e-3, potential_energy=found["potential"], kinetic_energy=found["kinetic"],
        temperature=found["temperature"], volume=found["volume"], pressure=found["pressure"] / units.GPa, momentum=found["momentum"],
        angular_momentum=found["angular_momentum"], largest_force=found["largest_force"],
    )  # fmt: skip


def trajectory_of(run: Run, atoms: Atoms, protocol: Protocol) -> Trajectory:
    """Frames, evenly spaced, and scalars.

    Args:
        atoms: the structure that was run.
    """
    found = run.frames
    count = len(found["step"])
    return Trajectory(
        numbers=atoms.numbers, masses=masses_of(atoms), time=found["step"] * protocol.timestep_fs * 1e-3, positions=found["positions"],
        momenta=found["momenta"], cell=found["cell"], pbc=atoms.pbc, energy=found["potential"],
        largest_force=np.linalg.norm(found["forces"], axis=-1).max(axis=-1), stress=np.full((count, 6), np.nan),
        timestep_fs=protocol.timestep_fs, series=series_of(run, protocol),
    )  # fmt: skip


def triples_of(run: Run, atoms: Atoms, protocol: Protocol) -> Trajectory | None:
    """Three frames at consecutive steps of every frame that has them; None where none has. Energies are those of the last of three."""
    found = run.frames
    kept = np.flatnonzero(np.isfinite(found["recent_positions"]).all(axis=(1, 2, 3)))
    if not len(kept):
        return None
    steps = (found["step"][kept, None] + np.arange(-2, 1)).ravel()
    keep = steps > np.concatenate([[-1], np.maximum.accumulate(steps)[:-1]])  # frames that are nearer than three steps share some

    def thrice(values: Floats) -> Floats:
        return np.repeat(values[kept], 3, axis=0)[keep]

    shape = (-1, len(atoms), 3)
    return Trajectory(
        numbers=atoms.numbers, masses=masses_of(atoms), time=np.asarray(steps[keep] * protocol.timestep_fs * 1e-3, dtype=np.float64),
        positions=found["recent_positions"][kept].reshape(shape)[keep], momenta=found["recent_momenta"][kept].reshape(shape)[keep],
        cell=thrice(found["cell"]), pbc=atoms.pbc, energy=thrice(found["potential"]),
        largest_force=thrice(np.linalg.norm(found["forces"], axis=-1).max(axis=-1)), stress=np.full((int(keep.sum()), 6), np.nan),
        timestep_fs=protocol.timestep_fs,
    )  # fmt: skip
