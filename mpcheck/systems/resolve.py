"""From what a user types to checked frames."""

from __future__ import annotations

import warnings
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from ase import Atoms
from ase.data import chemical_symbols
from ase.io import read
from ase.neighborlist import neighbor_list

from mpcheck._errors import InputError
from mpcheck._io import digest, is_file
from mpcheck.systems.builtin import MOST_ATOMS, build_builtin

FARTHEST = 1e6  # Å: beyond it float32 holds no digit of a bond length, and neighbour lists overflow
CLOSEST = 0.1  # Å: nearer than this two atoms count as coincident; edge vectors and their harmonics degenerate


@dataclass(frozen=True)
class System:
    """A named batch of frames and the digest of its content."""

    name: str
    frames: tuple[Atoms, ...]

    @property
    def digest(self) -> str:
        """SHA-256 over numbers, positions (Å), cells and periodicity of all frames."""
        parts: list[bytes] = []
        for frame in self.frames:
            parts += [
                np.asarray(frame.numbers, "<i8").tobytes(),
                np.asarray(frame.positions, "<f8").tobytes(),
                np.asarray(frame.cell.array, "<f8").tobytes(),
                np.asarray(frame.pbc, "u1").tobytes(),
            ]
        return digest(*parts)

    @property
    def atoms(self) -> int:
        """Number of atoms in all frames."""
        return sum(len(frame) for frame in self.frames)


def resolve_system(spec: str, elements: Sequence[str], r_max: float, seed: int = 0) -> System:
    """``builtin:NAME[:N]`` or ``FILE[@SLICE]`` (``@-1`` the last frame, ``@::10`` every tenth; the first by default).

    Args:
        spec: what the user typed.
        elements: the model's elements; any other element is an error that names it.
        r_max: the model's cut-off in Å.
        seed: of the built-in systems' rattling. Files are taken as they are.

    Raises:
        InputError: unknown name, unreadable file, empty selection, NaN, coincident atoms, a missing element.
    """
    frames = build_builtin(spec, elements, r_max, seed) if spec.startswith("builtin:") else _read_frames(spec)
    for index, frame in enumerate(frames):
        _check_frame(frame, f"system {spec}" + (f" frame {index}" if len(frames) > 1 else ""), elements)
    system = System(spec, tuple(frames))
    if system.atoms > MOST_ATOMS:
        raise InputError(f"system {spec}: {system.atoms} atoms in one batch; choose fewer frames with FILE@SLICE")
    return system


def _read_frames(spec: str) -> list[Atoms]:
    path_text, at, selection = spec.rpartition("@")
    if not at or is_file(Path(spec)):  # an @ may be part of the name
        path_text, selection = spec, "0"
    path = Path(path_text)
    if not is_file(path):
        raise InputError(f"system file {path} does not exist; give a structure file or builtin:NAME")
    try:
        index: int | slice = int(selection) if ":" not in selection else slice(*(int(s) if s else None for s in selection.split(":")))
    except (ValueError, TypeError):
        raise InputError(f"system {spec}: {selection!r} is not a frame number or START:STOP:STEP slice") from None
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            if isinstance(index, int) and index < 0:  # ASE's readers wrap around where a file has fewer frames
                found = read(path, index=slice(index, None), do_not_split_by_at_sign=True)
                found = found[0] if len(found) == -index else []
            else:
                found = read(path, index=index, do_not_split_by_at_sign=True)
    except Exception as error:  # every reader of ASE raises its own kind
        hint = " (fewer frames than that?)" if isinstance(error, (IndexError, StopIteration)) else ""
        raise InputError(f"system file {path} cannot be read{hint}: {type(error).__name__}: {error}") from error
    frames = found if isinstance(found, list) else [found]
    if not frames:
        raise InputError(f"system {spec}: the selection is empty (fewer frames than that?)")
    return frames


def _check_frame(frame: Atoms, where: str, elements: Sequence[str]) -> None:
    if len(frame) == 0:
        raise InputError(f"{where}: has no atoms")
    if not np.isfinite(frame.positions).all():
        atom = int(np.argwhere(~np.isfinite(frame.positions))[0, 0])
        raise InputError(f"{where}: position of atom {atom} is not a finite number; mend the file")
    if not np.isfinite(frame.cell.array).all():
        raise InputError(f"{where}: the cell is not finite; mend the file")
    if abs(frame.positions).max() > FARTHEST or abs(frame.cell.array).max() > FARTHEST:
        raise InputError(f"{where}: a position or cell vector is longer than {FARTHEST:.0e} Å; mend the file")
    if frame.pbc.any() and abs(np.linalg.det(frame.cell.complete().array)) < 1e-6:
        raise InputError(f"{where}: periodic, but its cell has no volume; give a Lattice or set pbc to F F F")
    if frame.pbc.any() and (frame.cell.lengths()[frame.pbc] < 1e-3).any():
        raise InputError(f"{where}: periodic along a cell vector of no length; give a Lattice or set pbc to F F F")
    symbols = set(frame.get_chemical_symbols())
    if "X" in symbols:
        raise InputError(f"{where}: has atoms without an element (X or number 0); name their elements")
    missing = sorted(symbols - set(elements), key=chemical_symbols.index)
    if missing:
        raise InputError(f"{where}: has {', '.join(missing)}, which the model lacks (it has {', '.join(elements)}); use another model or structure")
    pair = _coincident(frame)
    if pair is not None:
        raise InputError(f"{where}: atoms {pair[0]} and {pair[1]} are closer than {CLOSEST} Å; mend the structure")


def _coincident(frame: Atoms) -> tuple[int, int] | None:
    """The first pair of atoms nearer than CLOSEST, periodic images included."""
    first, second = neighbor_list("ij", frame, CLOSEST)  # linear in the number of atoms
    return (int(first[0]), int(second[0])) if len(first) else None
