"""Trajectories of the md session for other programs: as ASE's atoms, with energies, forces and momenta."""

from __future__ import annotations

from pathlib import Path

from ase import Atoms
from ase.calculators.singlepoint import SinglePointCalculator

from mpcheck._errors import InputError
from mpcheck.dynamics.protocols import chunks


def read(folder: str | Path) -> list[Atoms]:
    """Frames of a run, in their order; of one that has not ended, those that are there.

    Each has its momenta (ASE's units), the potential energy in eV and forces in eV/Å as the policy gave them, and in ``info`` its ``step`` and
    ``time_fs``. Positions are unwrapped, as they were integrated. ``ase.io.write("run.xyz", read(folder))`` writes them for other programs.

    Args:
        folder: of one run, ``OUT/md-runs/PROTOCOL-POLICY-BACKEND-SEED``.

    Raises:
        InputError: no run is there, or its files are damaged.
    """
    found = chunks.read(Path(folder))
    if not found or not found[0].frames:
        raise InputError(f"{folder} holds no run; name a directory such as reports/md-runs/nve-float32-e3nn-0")
    frames, timestep = [], float(found[0].about["protocol"]["timestep_fs"])
    for chunk in found:
        numbers, pbc = chunk.state["numbers"], chunk.state["pbc"].astype(bool)
        for place, step in enumerate(chunk.frames["step"]):
            atoms = Atoms(numbers, chunk.frames["positions"][place], cell=chunk.frames["cell"][place], pbc=pbc)
            atoms.set_momenta(chunk.frames["momenta"][place])
            energy, forces = float(chunk.frames["potential"][place]), chunk.frames["forces"][place]
            atoms.calc = SinglePointCalculator(atoms, energy=energy, forces=forces)
            atoms.info |= {"step": int(step), "time_fs": int(step) * timestep}
            frames.append(atoms)
    return frames
