"""Label the training structures of ``builtin:hco`` with GFN2-xTB (Bannwarth et al. 2019, doi:10.1021/acs.jctc.8b01176).

A development tool: ``python tools/hco/dataset.py OUT.extxyz``. It needs ``tblite`` and is deterministic for a seed up to
the last bits of the labels. Energies are in eV, forces in eV/Å. Every frame carries ``info["group"]``, the recipe's
line that made it, so that the model card can give errors by group; ``info["split"]`` is drawn per *trajectory* (a held-out
frame never has its neighbour in time among the training frames).
"""

from __future__ import annotations

import argparse
import os
import sys
import time
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

os.environ.setdefault("OMP_NUM_THREADS", "1")

import numpy as np
from ase import Atoms, units
from ase.build import molecule
from ase.io import write
from ase.md.langevin import Langevin
from ase.md.velocitydistribution import MaxwellBoltzmannDistribution
from tblite.ase import TBLite

SEED = 20260101
SOLVENTS = (
    "H2O CH3OH CH3CH2OH CH3COCH3 CH3COOH HCOOH H2CO CH3OCH3 CH3CHO CH4 C2H2 C2H4 C2H6 C3H8 C6H6 CO2 CO H2 H2COH "
    "HCOOCH3 isobutane C3H4_C3v C4H4O CH3CH2OCH3 cyclobutane"
).split()
CLUSTER_MEMBERS = "H2O CH3OH CH3CH2OH CH3COCH3 CH3COOH CH3OCH3 C6H6 H2CO CO2".split()
MULTIPLICITY = {"H": 2, "C": 3, "O": 3}


@dataclass(frozen=True)
class Recipe:
    """One line of the data recipe: how many trajectories of which starts, how hot and how long."""

    group: str
    trajectories: int
    temperatures: tuple[float, ...]  # K, cycled over the trajectories
    steps: int  # of 0.5 fs
    every: int  # frames kept: one in `every`


RECIPES = (
    Recipe("molecule", 4 * len(SOLVENTS), (300.0, 600.0, 1000.0, 1500.0), 200, 20),
    Recipe("dimer", 60, (300.0, 600.0), 160, 20),
    Recipe("cluster", 40, (300.0, 500.0), 160, 20),
    Recipe("water-cluster", 60, (300.0, 450.0, 700.0), 240, 20),
    Recipe("water-box", 6, (300.0, 450.0), 60, 5),
)


def pack(members: list[Atoms], rng: np.random.Generator, edge: float, pbc: bool) -> Atoms:
    """Molecules with random orientations in a cube of `edge` Å, no two atoms of different molecules closer than 1.7 Å."""
    while True:
        atoms = Atoms(cell=[edge] * 3, pbc=pbc)
        for member in members:
            for _ in range(400):
                trial = member.copy()
                trial.rotate(rng.uniform(0, 360), rng.normal(size=3))
                trial.positions += rng.uniform(0, edge, 3) - trial.positions.mean(axis=0)
                both = atoms + trial
                n = len(atoms)
                if n == 0 or min(both.get_distances(i, range(n), mic=pbc).min() for i in range(n, len(both))) > 1.7:
                    atoms = both
                    break
            else:
                break
        else:
            if not pbc:
                atoms.cell = None
            return atoms
        edge *= 1.05  # too tight for these shapes


def starts(recipe: Recipe, index: int, rng: np.random.Generator) -> Atoms:
    """The structure that trajectory `index` of a recipe starts from."""
    if recipe.group == "molecule":
        return molecule(SOLVENTS[index % len(SOLVENTS)])
    if recipe.group == "dimer":
        names = list(rng.choice(CLUSTER_MEMBERS, 2))
        return pack([molecule(n) for n in names], rng, 4.5, False)
    if recipe.group == "cluster":
        names = list(rng.choice(CLUSTER_MEMBERS, int(rng.integers(3, 5))))
        return pack([molecule(n) for n in names], rng, 6.5, False)
    if recipe.group == "water-cluster":
        n = int(rng.integers(2, 13))
        return pack([molecule("H2O")] * n, rng, 1.1 * (n * 29.9) ** (1 / 3), False)
    n = 8
    return pack([molecule("H2O")] * n, rng, (n * 29.9) ** (1 / 3), True)


def prepared(atoms: Atoms, temperature: float, rng: np.random.Generator) -> Langevin:
    """Langevin dynamics of a rattled structure on xTB at a temperature in K: 0.5 fs a step, a neutral molecule of the least spin."""
    unpaired = 1 if sum(atoms.numbers) % 2 else 0
    atoms.calc = TBLite(method="GFN2-xTB", verbosity=0, multiplicity=unpaired + 1)
    atoms.rattle(0.03, rng=rng)
    MaxwellBoltzmannDistribution(atoms, temperature_K=temperature, rng=np.random.RandomState(int(rng.integers(2**31))))
    return Langevin(atoms, 0.5 * units.fs, temperature_K=temperature, friction=0.02 / units.fs, rng=np.random.RandomState(int(rng.integers(2**31))))


def labelled(dynamics: Langevin, steps: int, every: int) -> Iterator[Atoms]:
    """One in ``every`` frames of a trajectory, with its energy and forces; it ends early where the atoms fly apart."""
    atoms = dynamics.atoms
    for step, _ in enumerate(dynamics.irun(steps)):
        forces = atoms.get_forces()
        if not np.isfinite(forces).all() or np.abs(forces).max() > 60:
            if step > 20:
                return
            continue
        if step % every == 0:
            frame = Atoms(atoms.numbers, atoms.get_positions(), cell=atoms.cell, pbc=atoms.pbc)
            frame.info["energy_xtb"] = atoms.get_potential_energy()
            frame.arrays["forces_xtb"] = forces
            yield frame


def trajectory(recipe: Recipe, index: int, seed: list[int]) -> Iterator[Atoms]:
    """Frames of one xTB Langevin trajectory, labelled; it ends early where xTB does not converge or the atoms fly apart."""
    rng = np.random.default_rng(seed)
    atoms = starts(recipe, index, rng)
    temperature = recipe.temperatures[(index // len(SOLVENTS) if recipe.group == "molecule" else index) % len(recipe.temperatures)]
    dynamics = prepared(atoms, temperature, rng)
    split = "test" if rng.random() < 0.1 else "train"
    for frame in labelled(dynamics, recipe.steps, recipe.every):
        frame.info.update(group=recipe.group, split=split)
        yield frame


def isolated_atoms() -> Iterator[Atoms]:
    """One free atom of each element in its ground-state multiplicity: the model's E0, in eV."""
    for symbol, multiplicity in MULTIPLICITY.items():
        atom = Atoms(symbol, positions=[[0.0, 0.0, 0.0]])
        atom.calc = TBLite(method="GFN2-xTB", verbosity=0, multiplicity=multiplicity)
        atom.info.update(energy_xtb=atom.get_potential_energy(), group="isolated", split="train")
        atom.arrays["forces_xtb"] = np.zeros((1, 3))
        atom.calc = None
        yield atom


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("out", type=Path)
    parser.add_argument("--seed", type=int, default=SEED)
    args = parser.parse_args()
    frames = list(isolated_atoms())
    began = time.perf_counter()
    for r, recipe in enumerate(RECIPES):
        for index in range(recipe.trajectories):
            try:
                frames.extend(trajectory(recipe, index, [args.seed, r, index]))
            except RuntimeError as error:  # tblite: the self-consistent field did not converge
                print(f"{recipe.group}[{index}]: {error}", file=sys.stderr)
        print(f"{recipe.group}: {len(frames)} frames so far, {time.perf_counter() - began:.0f} s", flush=True)
    write(args.out, frames, format="extxyz")


if __name__ == "__main__":
    main()
