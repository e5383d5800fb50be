"""What a trained model does in molecular dynamics: a short run by whoever can make one, and distances between atoms beside labelled structures.

Structures here are clusters in a vacuum, of which there is no density: what is compared is how often a pair of elements is at a distance, as
partial radial distribution functions compare it, without their normalisation by volume.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from itertools import combinations_with_replacement
from typing import Final

import numpy as np
import torch
from ase import Atoms, units
from ase.md.langevin import Langevin
from matscipy.neighbours import neighbour_list
from numpy.typing import NDArray

from mpcheck._torch_state import kept
from mpcheck.adapters.calculator import calculator
from mpcheck.dynamics.protocols.start import thermalised
from mpcheck.formats import F64
from mpcheck.learning.labels import Set

Array = NDArray[np.float64]
FARTHEST, WIDTH = 5.0, 0.1  # Å: distances that are counted, and of a bin
RUNAWAY: Final = 5.0
"""Times the bath's temperature, beyond which a run is called lost."""
LEAST_ATOMS = 4
STEPS, FEMTOSECONDS = 400, 0.5
BROKEN: Final = 0.5
"""Å, nearer than which two atoms have met."""


@dataclass(frozen=True)
class Course:
    """A run of molecular dynamics.

    Attributes:
        frames: kept ones, in their order. temperature: mean of the later half, K. lost: why it ended early; empty where it did not.
    """

    frames: Sequence[Atoms]
    temperature: float
    lost: str = ""


def langevin(
    model: torch.nn.Module,
    atoms: Atoms,
    seed: int,
    temperature: float = 400.0,
    steps: int = STEPS,
    femtoseconds: float = FEMTOSECONDS,
    every: int = 10,
) -> Course:
    """Langevin dynamics by ASE: velocities of the bath's temperature in K, friction 0.02/fs; one frame in ``every`` kept."""
    atoms = Atoms(atoms.numbers, atoms.positions, cell=atoms.cell, pbc=atoms.pbc)
    frames, temperatures = list[Atoms](), list[float]()
    with kept():
        atoms.calc = calculator([model], device=torch.device("cpu"), default_dtype=F64)
        rng = np.random.RandomState(seed)
        thermalised(atoms, temperature, rng)
        # one argument of ASE's is deprecated at its default: momentum of the whole is the bath's to change
        run = Langevin(atoms, femtoseconds * units.fs, temperature_K=temperature, friction=0.02 / units.fs, fixcm=False, rng=rng)
        for step, _ in enumerate(run.irun(steps)):
            if step % every:
                continue
            temperatures.append(float(atoms.get_temperature()))
            frames.append(Atoms(atoms.numbers, atoms.get_positions(), cell=atoms.cell, pbc=atoms.pbc))
            if lost := _lost(atoms, temperatures[-1], temperature):
                return Course(frames, float(np.mean(temperatures)), f"{lost} after {step * femtoseconds:g} fs")
    return Course(frames, float(np.mean(temperatures[len(temperatures) // 2 :])))


def _lost(atoms: Atoms, now: float, bath: float) -> str:
    if not np.isfinite(atoms.get_forces()).all() or not np.isfinite(now):
        return "forces are no numbers"
    if now > RUNAWAY * bath:
        return f"{now:.0f} K"
    *_, nearest = _pairs(atoms, BROKEN)
    return f"atoms {nearest.min():.2f} Å apart" if len(nearest) else ""


def _pairs(atoms: Atoms, farthest: float) -> tuple[NDArray[np.int64], NDArray[np.int64], Array]:
    """Both atoms and the distance of every pair, each twice; matscipy wants a cell also where there is none."""
    if not atoms.pbc.any():
        atoms = Atoms(atoms.numbers, atoms.positions)
        atoms.center(vacuum=1.0)
    first, second, far = neighbour_list("ijd", atoms, farthest)
    return first, second, far


def distances(frames: Sequence[Atoms]) -> dict[str, Array]:
    """By pair of elements, ``C-O``, pairs of atoms a frame and Å at distances up to ``FARTHEST``; each pair counted once."""
    symbols = sorted({symbol for frame in frames for symbol in frame.get_chemical_symbols()})
    edges = np.arange(0.0, FARTHEST + WIDTH / 2, WIDTH)
    counted = {"-".join(pair): np.zeros(len(edges) - 1) for pair in combinations_with_replacement(symbols, 2)}
    for frame in frames:
        first, second, far = _pairs(frame, FARTHEST)
        names = np.array(frame.get_chemical_symbols())
        for pair, total in counted.items():
            one, other = pair.split("-")
            own = ((names[first] == one) & (names[second] == other)) | ((names[first] == other) & (names[second] == one))
            total += np.histogram(far[own], edges)[0] / 2
    return {pair: total / len(frames) / WIDTH for pair, total in counted.items()}


def overlap(mine: Mapping[str, Array], theirs: Mapping[str, Array]) -> dict[str, float]:
    """By pair, the share that two distributions of distances have in common, from 0 to 1: one less their total variation."""
    found = {}
    for pair in mine.keys() & theirs.keys():
        a, b = mine[pair], theirs[pair]
        if a.sum() > 0 and b.sum() > 0:
            found[pair] = float(np.minimum(a / a.sum(), b / b.sum()).sum())
    return dict(sorted(found.items()))


def chosen(data: Set) -> tuple[str, Atoms, list[Atoms]]:
    """The formula that most labelled structures have, of those of four atoms and more where there are any; one of them that was not learned from, and
    all of them.
    """
    named: dict[str, list[tuple[str, Atoms]]] = {}
    for split, own in data.splits:
        for one in own:
            named.setdefault(one.atoms.get_chemical_formula(), []).append((split, one.atoms))
    formula = max(named, key=lambda name: (len(named[name][0][1]) >= LEAST_ATOMS, len(named[name]), name))
    frames = named[formula]
    start = next((atoms for split, atoms in reversed(frames) if split == "test"), frames[-1][1])
    return formula, start, [atoms for _, atoms in frames]
