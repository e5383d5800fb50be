"""Label the small set of solvents that trainings are compared on with GFN2-xTB (Bannwarth et al. 2019, doi:10.1021/acs.jctc.8b01176).

A development tool: ``python -m tools.solvents.dataset`` from the root of a checkout; it needs ``tblite`` and takes minutes. It writes
``mpcheck/data/solvents.safetensors`` and its card ``solvents.md``: single molecules, pairs and clusters of three and four of water, methanol,
ethanol and acetone at 300 and 500 K. Every composition has trajectories of its own for training, validation and test.
"""

from __future__ import annotations

import argparse
import sys
import time
from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass
from importlib.metadata import version
from itertools import combinations_with_replacement
from pathlib import Path

import numpy as np
from ase import Atoms
from ase.build import molecule

from mpcheck._files.io import sha256_file
from mpcheck._text import markdown_table
from mpcheck.learning.labels import SPLITS
from mpcheck.learning.solvents import stored
from tools.hco.dataset import isolated_atoms, labelled, pack, prepared

SEED = 20260201
SOLVENTS = ("H2O", "CH3OH", "CH3CH2OH", "CH3COCH3")
TEMPERATURES = (300.0, 500.0)  # K, in turn
STEPS = 241  # of 0.5 fs
EDGE = {1: 4.0, 2: 4.5, 3: 5.6, 4: 6.3}
"""Å of the cube that so many molecules are packed into."""
CLUSTERS = (("H2O", "H2O", "H2O"), ("H2O", "CH3OH", "CH3CH2OH"), ("CH3OH", "CH3OH", "H2O"), ("H2O", "H2O", "H2O", "H2O"), ("H2O", "CH3COCH3", "H2O"))


@dataclass(frozen=True)
class Trajectory:
    """One trajectory: its molecules, which split it belongs to, and one in how many frames is kept."""

    members: tuple[str, ...]
    split: str
    every: int


def planned() -> Iterator[Trajectory]:
    """All of them: of every composition two for training, one for validation and one for test."""
    pairs = tuple(combinations_with_replacement(SOLVENTS, 2))
    for members in (*((name,) for name in SOLVENTS), *pairs, *CLUSTERS):
        for split in ("train", "train", "validation", "test"):
            yield Trajectory(members, split, 60 if split == "train" else 80)


def frames_of(one: Trajectory, index: int, seed: int) -> Iterator[Atoms]:
    """Frames of a trajectory, which begins 30 fs after its start so that what was packed has come to rest."""
    rng = np.random.default_rng([seed, index])
    atoms = pack([molecule(name) for name in one.members], rng, EDGE[len(one.members)], pbc=False)
    dynamics = prepared(atoms, TEMPERATURES[index // 4 % 2], rng)
    for _ in dynamics.irun(60):
        pass
    for frame in labelled(dynamics, STEPS, one.every):
        frame.info.update(split=one.split, group=GROUPS[len(one.members)])
        yield frame


GROUPS = {1: "molecule", 2: "pair", 3: "cluster", 4: "cluster"}


def card(path: Path, frames: list[Atoms], seed: int) -> str:
    """Where the data come from, and how many there are."""
    counted = Counter((f.info["group"], f.info["split"]) for f in frames)
    rows = [[group, *(str(counted[group, split]) for split in SPLITS)] for group in dict.fromkeys(GROUPS.values())]
    forces = np.concatenate([f.arrays["forces_xtb"] for f in frames])
    lines = [
        "# Data card: solvents",
        "",
        "Molecules and clusters of water, methanol, ethanol and acetone, made to compare trainings in number formats; not for research.",
        "",
        f"- Labels: GFN2-xTB by tblite {version('tblite')}, sampled with ASE {version('ase')}: Langevin, 0.5 fs, 300 and 500 K; eV, eV/Å",
        f"- Made by `python -m tools.solvents.dataset`, seed {seed}; the last bits of labels may differ between machines",
        f"- `{path.name}`: sha256 `{sha256_file(path)}`",
        f"- Splits are of whole trajectories; {sum(map(len, frames))} atoms; RMS force {np.sqrt((forces**2).mean()):.3f} eV/Å",
        "- Energies of isolated atoms, each in its own ground state, stand with the data",
        "",
        *markdown_table(("frames of", *SPLITS), rows, "lrrr"),
    ]
    return "\n".join(lines) + "\n"


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--out", type=Path, default=Path("mpcheck/data"))
    parser.add_argument("--seed", type=int, default=SEED)
    args = parser.parse_args()
    frames: list[Atoms] = []
    began = time.perf_counter()
    for index, one in enumerate(planned()):
        try:
            frames.extend(frames_of(one, index, args.seed))
        except RuntimeError as error:  # tblite: the self-consistent field did not converge
            print(f"{'+'.join(one.members)}: {error}", file=sys.stderr)
        print(f"{'+'.join(one.members)} {one.split}: {len(frames)} frames, {time.perf_counter() - began:.0f} s", flush=True)
    path = args.out / "solvents.safetensors"
    alone = {a.get_chemical_symbols()[0]: float(a.info["energy_xtb"]) for a in isolated_atoms()}
    stored(path, frames, alone)
    (path.with_suffix(".md")).write_text(card(path, frames, args.seed), encoding="utf-8")


if __name__ == "__main__":
    main()
