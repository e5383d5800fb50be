"""From what a user types to checked frames."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from ase import Atoms
from ase.data import chemical_symbols

from mpcheck._errors import InputError
from mpcheck._files.io import digest, is_file, is_there, refuse_irregular, refuse_unwritable
from mpcheck.systems.builtin import MOST_ATOMS, build_builtin
from mpcheck.systems.files import read_frames
from mpcheck.systems.inputs import ModelInput, take_inputs, values_of
from mpcheck.systems.spacing import bins, coincident, edges, heights

FARTHEST = 1e6  # Å: beyond it float32 holds no digit of a bond length, and neighbour lists overflow
CLOSEST = 0.1  # Å: nearer than this two atoms count as coincident; edge vectors and their harmonics degenerate
MOST_EDGES = 20_000_000  # of one batch: 1.3 GB for their vectors and harmonics alone, per tensor a hundred times more
MOST_MEMORY = 8e8  # bytes of upstream's neighbour list for its bins; about half of it is touched


@dataclass(frozen=True)
class Structures:
    """A named batch of frames and the digest of its content; notes: what of it reaches the model, see :mod:`mpcheck.systems.inputs`."""

    name: str
    frames: tuple[Atoms, ...]
    notes: tuple[str, ...] = ()

    @property
    def digest(self) -> str:
        """SHA-256 over numbers, positions (Å), cells, periodicity and the model's further inputs of all frames."""
        parts: list[str | bytes] = []
        for frame in self.frames:
            parts += [
                np.asarray(frame.numbers, "<i8").tobytes(),
                np.asarray(frame.positions, "<f8").tobytes(),
                np.asarray(frame.cell.array, "<f8").tobytes(),
                np.asarray(frame.pbc, "u1").tobytes(),
            ]
            for name, value in values_of(frame).items():
                parts += [name, value if isinstance(value, str) else np.asarray(value, "<f8").tobytes()]
        return digest(*parts)

    @property
    def atoms(self) -> int:
        """Number of atoms in all frames."""
        return sum(len(frame) for frame in self.frames)


def resolve_system(
    spec: str, elements: Sequence[str], r_max: float, seed: int = 0, takes: Sequence[ModelInput] = (), heads: Sequence[str] = ()
) -> Structures:
    """``builtin:NAME[:N]`` or ``FILE[@SLICE]`` (``@-1`` the last frame, ``@::10`` every tenth; the first by default).

    Args:
        spec: what the user typed.
        elements: the model's elements; any other element is an error that names it.
        r_max: the model's cut-off in Å.
        seed: of the built-in systems' rattling. Files are taken as they are.
        takes, heads: what else the model takes, see :func:`mpcheck.systems.inputs.take_inputs`.

    Raises:
        InputError: unknown name, unreadable file, empty selection, NaN, coincident atoms, a missing element, more edges or a longer cell than
            can be computed.
    """
    refuse_unwritable(spec, "system")
    frames = build_builtin(spec, elements, r_max, seed) if spec.startswith("builtin:") else _read_frames(spec)
    count = 0.0
    for index, frame in enumerate(frames):
        where = f"system {spec}" + (f" frame {index}" if len(frames) > 1 else "")
        _check_frame(frame, where, elements)
        count += _check_size(frame, where, r_max)
    if count > MOST_EDGES:
        raise InputError(f"system {spec}: {count:.1e} pairs of atoms within {r_max:g} Å, {MOST_EDGES:.0e} at most; fix the structure, or choose less")
    taken = take_inputs(frames, takes, heads, f"system {spec}")
    system = Structures(spec, taken.frames, taken.notes)
    if system.atoms > MOST_ATOMS:
        raise InputError(f"system {spec}: {system.atoms} atoms in one batch; choose fewer frames with FILE@SLICE")
    return system


def _read_frames(spec: str) -> list[Atoms]:
    path_text, at, selection = spec.rpartition("@")
    if not at or is_file(Path(spec)):  # an @ may be part of the name
        path_text, selection = spec, "0"
    path = Path(path_text)
    if path_text and is_there(path):
        refuse_irregular(path, "system file")
    if not is_file(path):
        raise InputError(f"system file {path} does not exist; give a structure file or builtin:NAME")
    try:
        index: int | slice = int(selection) if ":" not in selection else slice(*(int(s) if s else None for s in selection.split(":")))
    except (ValueError, TypeError):
        raise InputError(f"system {spec}: {selection[:40]!r} is not a frame number or START:STOP:STEP slice") from None
    return read_frames(path, index, spec)


def _check_frame(frame: Atoms, where: str, elements: Sequence[str]) -> None:
    if len(frame) == 0:
        raise InputError(f"{where}: has no atoms")
    if not np.isfinite(frame.positions).all():
        atom = int(np.argwhere(~np.isfinite(frame.positions))[0, 0])
        raise InputError(f"{where}: position of atom {atom} is not a finite number; fix the file")
    if not np.isfinite(frame.cell.array).all():
        raise InputError(f"{where}: the cell is not finite; fix the file")
    if abs(frame.positions).max() > FARTHEST or abs(frame.cell.array).max() > FARTHEST:
        raise InputError(f"{where}: a position or cell vector is longer than {FARTHEST:.0e} Å; fix the file")
    _check_elements(frame, where, elements)
    _check_cell(frame, where)
    pair = coincident(frame, CLOSEST)
    if pair is not None:
        raise InputError(f"{where}: atoms {pair[0]} and {pair[1]} are closer than {CLOSEST} Å; fix the structure")


def _check_size(frame: Atoms, where: str, r_max: float) -> float:
    """How many edges a frame has; refuses one that a neighbour list cannot be built of."""
    memory = bins(frame, r_max) * 8
    if memory > MOST_MEMORY:
        raise InputError(
            f"{where}: upstream's neighbour list would take {memory / 1e9:.1f} GB, because the cell, or the largest coordinate of an open "
            "structure, is so long; give a smaller cell, or centre the structure on the origin"
        )
    return edges(frame, r_max)


def _check_elements(frame: Atoms, where: str, elements: Sequence[str]) -> None:
    for atom, number in enumerate(frame.numbers):
        if not 0 <= number < len(chemical_symbols):  # a negative one would count from the end of ASE's table
            raise InputError(f"{where}: atom {atom} has the atomic number {number}, which no element has; fix the file")
    symbols = set(frame.get_chemical_symbols())
    if "X" in symbols:
        atom = int(np.argmin(frame.numbers))
        raise InputError(f"{where}: has atoms without an element (X or number 0), the first is atom {atom}; name their elements")
    missing = sorted(symbols - set(elements), key=chemical_symbols.index)
    if missing:
        raise InputError(f"{where}: has {', '.join(missing)}, which the model lacks (it has {', '.join(elements)}); use another model or structure")


def _check_cell(frame: Atoms, where: str) -> None:
    if not frame.pbc.any():
        return
    if abs(np.linalg.det(frame.cell.complete().array)) < 1e-6:
        raise InputError(f"{where}: periodic, but its cell has no volume; give a Lattice or set pbc to F F F")
    if (frame.cell.lengths()[frame.pbc] < 1e-3).any():
        raise InputError(f"{where}: periodic along a cell vector of no length; give a Lattice or set pbc to F F F")
    if heights(frame).min() < CLOSEST:
        raise InputError(f"{where}: its cell is {heights(frame).min():.2g} Å high, so that atoms would lie on their own images; fix the Lattice")
