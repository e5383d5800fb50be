"""The built-in training set: solvents labelled by GFN2-xTB, eV and eV/Å; ``mpcheck/data/solvents.md`` says where they come from."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from importlib import resources
from pathlib import Path
from typing import Final

import numpy as np
from ase import Atoms
from ase.data import atomic_numbers, chemical_symbols
from safetensors.numpy import load_file, save_file

from mpcheck.learning.labels import SPLITS, Set, Split
from mpcheck.systems.labelled import Labelled

NAME: Final = "builtin:solvents"
GROUPS = ("molecule", "pair", "cluster")


def stored(path: Path, frames: Sequence[Atoms], alone: Mapping[str, float]) -> None:
    """Write labelled structures.

    Args:
        frames: with ``energy_xtb`` (eV), ``split`` and ``group`` in their info and ``forces_xtb`` (eV/Å) among their arrays.
        alone: energies of isolated atoms by symbol, eV.
    """
    symbols = sorted(alone, key=lambda s: atomic_numbers[s])
    save_file(
        {
            "numbers": np.concatenate([f.numbers for f in frames]).astype(np.uint8),
            "sizes": np.array([len(f) for f in frames], dtype=np.int32),
            "positions": np.concatenate([f.positions for f in frames]),
            "forces": np.concatenate([f.arrays["forces_xtb"] for f in frames]).astype(np.float32),
            "energies": np.array([f.info["energy_xtb"] for f in frames]),
            "split": np.array([SPLITS.index(f.info["split"]) for f in frames], dtype=np.uint8),
            "group": np.array([GROUPS.index(f.info["group"]) for f in frames], dtype=np.uint8),
            "alone": np.array([alone[s] for s in symbols]),
            "alone_numbers": np.array([atomic_numbers[s] for s in symbols], dtype=np.uint8),
        },
        path,
    )


def solvents() -> Set:
    """The built-in set, by its own splits."""
    held = load_file(Path(str(resources.files("mpcheck") / "data" / "solvents.safetensors")))
    ends = np.cumsum(held["sizes"])
    frames: dict[Split, list[Labelled]] = {split: [] for split in SPLITS}
    for place, (start, end) in enumerate(zip(ends - held["sizes"], ends, strict=True)):
        atoms = Atoms(held["numbers"][start:end], held["positions"][start:end])
        split = SPLITS[int(held["split"][place])]
        frames[split].append(Labelled(atoms, float(held["energies"][place]), held["forces"][start:end].astype(np.float64)))
    alone = {chemical_symbols[z]: float(e) for z, e in zip(held["alone_numbers"], held["alone"], strict=True)}
    return Set(NAME, frames["train"], frames["validation"], frames["test"], alone)
