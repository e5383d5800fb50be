"""A user's labelled structures: extended XYZ, one file, split by what each frame says or by turns."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any, Final

import numpy as np
from ase import Atoms

from mpcheck._errors import InputError
from mpcheck._files.io import is_file
from mpcheck.learning.labels import SPLITS, Set, Split
from mpcheck.systems.files import each_frame
from mpcheck.systems.frames import Frame
from mpcheck.systems.labelled import Labelled

ENERGY_KEY, FORCES_KEY = "REF_energy", "REF_forces"
"""Upstream's trainer asks for these by default."""
SPLIT: Final = "split"
NAMES: Final = {"train": "train", "valid": "validation", "validation": "validation", "val": "validation", "test": "test"}
TURNS: Final = 8
"""Frames without a split go by turns: of each so many in a row one is for validation and one for test."""
LEAST, LARGEST_FORCE = 2, 1e3  # structures of a split; eV/Å
MOST_FRAMES = 20_000


def read_set(path: Path, energy_key: str = ENERGY_KEY, forces_key: str = FORCES_KEY) -> Set:
    """Labelled structures of a file: eV and eV/Å.

    Single atoms are energies of isolated atoms, as upstream takes them, where ``config_type`` says so.

    Raises:
        InputError: no such file, a frame without labels, labels that are no numbers, too few structures in a split.
    """
    if not is_file(path):
        raise InputError(f"data file {path} does not exist; give labelled structures in extended XYZ with --data, or leave it out")
    frames: dict[Split, list[Labelled]] = {split: [] for split in SPLITS}
    alone: dict[str, float] = {}
    number, said = 0, list[bool]()
    for frame in each_frame(path):
        where = f"data file {path} frame {frame.number}"
        one = _labelled(frame, where, energy_key, forces_key)
        if len(one.atoms) == 1 and str(frame.atoms.info.get("config_type", "")).lower() == "isolatedatom":
            alone[one.atoms.get_chemical_symbols()[0]] = one.energy
            continue
        said.append(SPLIT in frame.atoms.info)
        frames[_split(frame.atoms.info.get(SPLIT), number, where)].append(one)
        number += 1
        if number > MOST_FRAMES:
            raise InputError(f"data file {path}: more than {MOST_FRAMES:,} structures; give a part of them, trainings here are short ones")
    if any(said) and not all(said):
        raise InputError(f"data file {path}: frame {said.index(False)} has no {SPLIT}, others have; give it to all frames or to none")
    for split, own in frames.items():
        if len(own) < LEAST:
            raise InputError(f"data file {path}: {len(own)} structures for {split}, at least {LEAST} are needed; give more, or another {SPLIT}")
    return Set(str(path), frames["train"], frames["validation"], frames["test"], alone)


def _split(told: Any, number: int, where: str) -> Split:
    if told is None:
        place = number % TURNS
        return "validation" if place == TURNS - 2 else "test" if place == TURNS - 1 else "train"
    known = NAMES.get(str(told).lower())
    if known is None:
        raise InputError(f"{where}: {SPLIT} is {str(told)[:40]!r}; give train, validation or test")
    return known  # type: ignore[return-value]  # one of them


def _labelled(frame: Frame, where: str, energy_key: str, forces_key: str) -> Labelled:
    atoms = frame.atoms
    energy = _label(atoms, energy_key, "energy", where, "energy", atoms.info)
    forces = _label(atoms, forces_key, "forces", where, "forces", atoms.arrays)
    try:
        numbers, total = np.asarray(forces, dtype=float), float(energy)
    except (TypeError, ValueError) as error:
        raise InputError(f"{where}: {energy_key} and {forces_key} must be numbers, eV and eV/Å; fix the file") from error
    if numbers.shape != (len(atoms), 3):
        raise InputError(f"{where}: {forces_key} has the shape {numbers.shape}, and {len(atoms)} atoms need ({len(atoms)}, 3); fix the file")
    if not np.isfinite(numbers).all() or not np.isfinite(total) or np.abs(numbers).max(initial=0.0) > LARGEST_FORCE:
        raise InputError(f"{where}: a label is no number, or a force is above {LARGEST_FORCE:g} eV/Å; leave the frame out")
    return Labelled(Atoms(atoms.numbers, atoms.positions, cell=atoms.cell, pbc=atoms.pbc), total, numbers)


def _label(atoms: Atoms, key: str, option: str, where: str, plain: str, place: Any) -> Any:
    """A label under its key; ASE takes those that are named ``energy`` and ``forces`` into a calculator."""
    if key in place:
        return place[key]
    held = getattr(atoms.calc, "results", {})
    if key == plain and plain in held:
        return held[plain]
    there = _named([*place, *held])
    raise InputError(f"{where} has no {key!r}{there}; name it with --{option}-key")


def _named(names: Sequence[str]) -> str:
    known = [name for name in names if name not in ("numbers", "positions")]
    return f" (it has {', '.join(sorted(set(known))[:6])})" if known else ""
