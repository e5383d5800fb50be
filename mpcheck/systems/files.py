"""Frames from structure files of anybody's: extended XYZ and CIF, checked before ASE's readers make anything of them.

ASE's readers believe a count: 99999999999 in the first line, or ``pos:R:999999999``, takes them hours and all memory. Its other formats are
not read at all: a hundred readers with such places, some of which unpickle.
"""

from __future__ import annotations

import io
import re
import warnings
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import BinaryIO, TypeVar

from ase.io import read
from ase.io.extxyz import key_val_str_to_dict

from mpcheck._errors import InputError, error_line
from mpcheck._files.io import opened
from mpcheck.systems.builtin import MOST_ATOMS
from mpcheck.systems.cif import read_cif
from mpcheck.systems.frames import Frame
from mpcheck.systems.occupancy import REMEDY, partial
from mpcheck.systems.species import DEUTERIUM, HYDROGEN, UnknownSpeciesError, element

LONGEST_LINE = 1 << 20
MOST_COUNTED = 64 << 20  # bytes of a file whose frames are counted only to be told of
MOST_BYTES = 8 << 30  # of a file of many frames, of which those that are chosen are kept
MOST_FRAMES = 10_000_000
MOST_COLUMNS = 200  # of numbers to an atom

T = TypeVar("T")


@dataclass(frozen=True)
class _Place:
    """Where a frame lies in its file, in bytes, and how many atoms it announces."""

    number: int
    start: int
    end: int
    atoms: int


def read_frames(path: Path, choice: int | slice, where: str) -> list[Frame]:
    """The chosen frames of a file.

    Args:
        choice: a frame or a slice of them. where: what the user typed, for errors.

    Raises:
        InputError: no regular file, another format, damaged, fewer frames than that, more atoms than one batch takes, a name that is no
            element's, a site that is not wholly one element's.
    """
    if _is_cif(path):
        made = read_cif(path)
        return [make() for make in selected(made, choice, path, where)]
    with opened(path, "system file") as stream:
        places = selected(_index(stream, path, choice), choice, path, where)
        atoms = sum(place.atoms for place in places)
        if atoms > MOST_ATOMS:
            raise InputError(f"system {where}: {atoms} atoms in one batch, {MOST_ATOMS} at most; choose fewer frames with FILE@SLICE")
        return [_frame(stream, place, path) for place in places]


def each_frame(path: Path) -> Iterator[Frame]:
    """All frames of a file, one after the other.

    Raises:
        InputError: as :func:`read_frames`.
    """
    if _is_cif(path):
        for make in read_cif(path):
            yield make()
        return
    with opened(path, "system file") as stream:
        for place in _walk(stream, path):
            yield _frame(stream, place, path)


def frames_in(path: Path) -> int | None:
    """How many frames a sound file has; None of one that is too long to be counted in no time, or damaged behind what is judged."""
    try:
        if path.stat().st_size > MOST_COUNTED:
            return None
        if _is_cif(path):
            return len(read_cif(path))
        with opened(path, "system file") as stream:
            return sum(1 for _ in _walk(stream, path))
    except (InputError, OSError):
        return None


def _is_cif(path: Path) -> bool:
    if path.suffix.lower() not in (".cif", ".xyz", ".extxyz"):
        raise InputError(
            f"system file {path}: extended XYZ (.xyz, .extxyz) and CIF (.cif) are read; convert it with `ase convert {path} FILE.extxyz`"
        )
    return path.suffix.lower() == ".cif"


def selected(frames: Sequence[T], choice: int | slice, path: Path, where: str) -> list[T]:
    """The chosen ones of a file's frames.

    Raises:
        InputError: there are none.
    """
    try:
        chosen = list(frames[choice]) if isinstance(choice, slice) else [frames[choice]]
    except (IndexError, ValueError):  # a step of zero
        chosen = []
    if not chosen:
        raise InputError(f"system {where}: the selection is empty (fewer frames than that? {path} has {len(frames)})")
    return chosen


def _frame(stream: BinaryIO, place: _Place, path: Path) -> Frame:
    """One frame of extended XYZ."""
    where = f"system file {path} frame {place.number}"
    stream.seek(place.start)
    text = stream.read(place.end - place.start)
    first = _check_comment(text, where)
    try:
        lines = text.decode("utf-8").split("\n")
    except UnicodeDecodeError as error:
        raise InputError(f"system file {path} is not UTF-8 text; check that it is the right file") from error
    heavy = [] if first is None else _check_species(lines[2 : 2 + place.atoms], first, where)
    for atom in heavy:
        words = lines[2 + atom].split()
        words[first or 0] = HYDROGEN
        lines[2 + atom] = " ".join(words)
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            atoms = read(io.StringIO("\n".join([*lines, ""])), index=0, format="extxyz")
    except Exception as error:  # every reader of ASE raises its own kind
        raise InputError(f"{where} cannot be read: {error_line(error)}; fix the file") from error
    if found := partial(atoms):
        raise InputError(f"{where}: {found}: partly occupied or mixed; {REMEDY}")
    said = f"{where}: species: {len(heavy)} atoms, first atom {heavy[0]}, are deuterium, judged as hydrogen" if heavy else ""
    return Frame(atoms, place.number, (said,) if said else ())


def _check_species(rows: list[str], column: int, where: str) -> list[int]:
    """Atoms of deuterium; refuses names that are no element's."""
    known: dict[str, str] = {}
    heavy = []
    for atom, row in enumerate(rows):
        words = row.split()
        if len(words) <= column:
            raise InputError(f"{where}: atom {atom} has no species; fix the file")
        word = words[column]
        if word not in known:
            try:
                known[word] = element(word)
            except UnknownSpeciesError as error:
                raise InputError(f"{where}: species of atom {atom}: {error}") from None
        if known[word] == DEUTERIUM:
            heavy.append(atom)
    return heavy


def _index(stream: BinaryIO, path: Path, choice: int | slice) -> list[_Place]:
    """Where frames begin and end, as far as they are needed."""
    last = choice if isinstance(choice, int) else (choice.stop - 1 if choice.stop is not None else -1)
    forward = last >= 0 and not (isinstance(choice, slice) and ((choice.start or 0) < 0 or (choice.step or 1) < 0))
    frames: list[_Place] = []
    for frame in _walk(stream, path):
        frames.append(frame)
        if len(frames) > MOST_FRAMES or frame.end > MOST_BYTES:
            raise InputError(f"system file {path}: more than {MOST_FRAMES:,} frames or {MOST_BYTES >> 30} GiB; give a smaller file")
        if forward and len(frames) > last:
            break
    return frames


def _walk(stream: BinaryIO, path: Path) -> Iterator[_Place]:
    """Frame after frame, each line counted as it arrives."""
    number = 0

    def line() -> bytes:
        text = stream.readline(LONGEST_LINE)
        if len(text) >= LONGEST_LINE:
            raise InputError(f"system file {path} frame {number}: a line of more than {LONGEST_LINE >> 20} MiB; this cannot be the right file")
        return text

    while True:
        start = stream.tell()
        head = line()
        if not head.strip():
            return
        where = f"system file {path} frame {number}"
        if not re.fullmatch(rb"\s*[0-9]{1,12}\s*", head) or int(head) > MOST_ATOMS:
            raise InputError(f"{where}: {_shown(head)} where the number of atoms belongs, at most {MOST_ATOMS}; fix the file")
        line()
        for atom in range(int(head)):
            if not line().strip():
                raise InputError(f"{where}: {int(head)} atoms are announced, {atom} are there (truncated?); fix the file")
        end = stream.tell()
        while line().lstrip().startswith(b"VEC"):  # a cell as ADF writes it
            end = stream.tell()
        stream.seek(end)
        yield _Place(number, start, end, int(head))
        stream.seek(end)  # whoever takes the frame reads it
        number += 1


def _check_comment(text: bytes, where: str) -> int | None:
    """Refuse more columns than an atom can have, by the same reading of the line as will make columns of it.

    Returns:
        Which word of an atom's line is its species; None where elements are told by number.
    """
    _, line, *_ = [*(part.decode("utf-8", "replace").strip() for part in text.split(b"\n", 2)), ""]  # a frame of no atoms may end before it
    try:
        columns = str(key_val_str_to_dict(line).get("Properties", "")).split(":") if line else [""]
    except Exception as error:  # it raises whatever it stumbles over
        raise InputError(f"{where}: the line before the atoms cannot be read: {error_line(error)}; fix the file") from error
    counts = columns[2::3]
    if any(not re.fullmatch(r"[0-9]{1,4}", count) or int(count) > MOST_COLUMNS for count in counts) or len(counts) > MOST_COLUMNS:
        raise InputError(f"{where}: Properties: names, types and numbers of columns up to {MOST_COLUMNS} expected; fix the file")
    before = 0
    for name, count in zip(columns[::3], counts, strict=False):
        if name.lower() in ("species", "symbols"):
            return before
        before += int(count)
    return None if counts else 0


def _shown(text: bytes) -> str:
    return repr(text.decode("utf-8", "replace").strip()[:40])
