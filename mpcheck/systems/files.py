"""Frames from structure files of anybody's: extended XYZ and CIF, checked before ASE's readers make anything of them.

ASE's readers believe a count: 99999999999 in the first line, or ``pos:R:999999999``, takes them hours and all memory. Its other formats are
not read at all: a hundred readers with such places, some of which unpickle.
"""

from __future__ import annotations

import io
import re
import warnings
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import BinaryIO

from ase import Atoms
from ase.io import read
from ase.io.extxyz import key_val_str_to_dict

from mpcheck._errors import InputError, error_line
from mpcheck._files.io import opened, read_text
from mpcheck.systems.builtin import MOST_ATOMS

LONGEST_LINE = 1 << 20
MOST_BYTES = 8 << 30  # of a file of many frames, of which those that are chosen are kept
MOST_FRAMES = 10_000_000
MOST_COLUMNS = 200  # of numbers to an atom
CIF_BYTES = 1 << 20
CIF_WORK = 2_000_000  # lines times symmetry operations: ASE compares every copy of an atom with every other


@dataclass(frozen=True)
class _Frame:
    number: int
    start: int
    end: int
    atoms: int


def read_frames(path: Path, choice: int | slice, where: str) -> list[Atoms]:
    """The chosen frames of a file.

    Args:
        choice: a frame or a slice of them. where: what the user typed, for errors.

    Raises:
        InputError: no regular file, another format, damaged, fewer frames than that, more atoms than one batch takes.
    """
    if path.suffix.lower() == ".cif":
        return _read_cif(path, choice, where)
    if path.suffix.lower() in (".xyz", ".extxyz"):
        with opened(path, "system file") as stream:
            return _parsed(io.StringIO(_chosen(stream, path, choice, where)), "extxyz", slice(None), path)
    raise InputError(f"system file {path}: extended XYZ (.xyz, .extxyz) and CIF (.cif) are read; convert it with `ase convert {path} FILE.extxyz`")


def _chosen(stream: BinaryIO, path: Path, choice: int | slice, where: str) -> str:
    """The text of the chosen frames."""
    frames = _index(stream, path, choice)
    try:
        chosen = frames[choice] if isinstance(choice, slice) else [frames[choice]]
    except (IndexError, ValueError):  # a step of zero
        chosen = []
    if not chosen:
        raise InputError(f"system {where}: the selection is empty (fewer frames than that? {path} has {len(frames)})")
    atoms = sum(frame.atoms for frame in chosen)
    if atoms > MOST_ATOMS:
        raise InputError(f"system {where}: {atoms} atoms in one batch, {MOST_ATOMS} at most; choose fewer frames with FILE@SLICE")
    parts = []
    for frame in chosen:
        stream.seek(frame.start)
        parts.append(stream.read(frame.end - frame.start))
        _check_comment(parts[-1], f"system file {path} frame {frame.number}")
    try:
        return b"".join(part if part.endswith(b"\n") else part + b"\n" for part in parts).decode("utf-8")
    except UnicodeDecodeError as error:
        raise InputError(f"system file {path} is not UTF-8 text; check that it is the right file") from error


def _index(stream: BinaryIO, path: Path, choice: int | slice) -> list[_Frame]:
    """Where frames begin and end, as far as they are needed."""
    last = choice if isinstance(choice, int) else (choice.stop - 1 if choice.stop is not None else -1)
    forward = last >= 0 and not (isinstance(choice, slice) and ((choice.start or 0) < 0 or (choice.step or 1) < 0))
    frames: list[_Frame] = []
    for frame in _walk(stream, path):
        frames.append(frame)
        if len(frames) > MOST_FRAMES or frame.end > MOST_BYTES:
            raise InputError(f"system file {path}: more than {MOST_FRAMES:,} frames or {MOST_BYTES >> 30} GiB; give a smaller file")
        if forward and len(frames) > last:
            break
    return frames


def _walk(stream: BinaryIO, path: Path) -> Iterator[_Frame]:
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
        yield _Frame(number, start, end, int(head))
        number += 1


def _check_comment(text: bytes, where: str) -> None:
    """Refuse more columns than an atom can have, by the same reading of the line as will make columns of it."""
    _, line, *_ = [*(part.decode("utf-8", "replace").strip() for part in text.split(b"\n", 2)), ""]  # a frame of no atoms may end before it
    try:
        columns = str(key_val_str_to_dict(line).get("Properties", "")).split(":")[2::3] if line else []
    except Exception as error:  # it raises whatever it stumbles over
        raise InputError(f"{where}: the line before the atoms cannot be read: {error_line(error)}; fix the file") from error
    if any(not re.fullmatch(r"[0-9]{1,4}", count) or int(count) > MOST_COLUMNS for count in columns) or len(columns) > MOST_COLUMNS:
        raise InputError(f"{where}: Properties: names, types and numbers of columns up to {MOST_COLUMNS} expected; fix the file")


def _shown(text: bytes) -> str:
    return repr(text.decode("utf-8", "replace").strip()[:40])


def _read_cif(path: Path, choice: int | slice, where: str) -> list[Atoms]:
    text = read_text(path, "system file", CIF_BYTES, "convert it to extended XYZ with `ase convert`")
    lines = text.count("\n") + 1
    operations = min(192, 1 + sum(line.count(",") >= 2 for line in text.split("\n"))) if "_symmetry" in text or "_space_group" in text else 1
    if lines * operations**2 > CIF_WORK:
        raise InputError(f"system file {path}: {lines} lines with symmetry are too many; convert it to extended XYZ with `ase convert`")
    frames = _parsed(io.BytesIO(text.encode("utf-8")), "cif", choice, path)
    if not frames:
        raise InputError(f"system {where}: the selection is empty (fewer frames than that?)")
    return frames


def _parsed(stream: io.StringIO | io.BytesIO, form: str, choice: int | slice, path: Path) -> list[Atoms]:
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            if isinstance(choice, int) and choice < 0:  # ASE's readers wrap around where a file has fewer frames
                frames = read(stream, index=slice(choice, None), format=form)
                frames = frames[0] if len(frames) == -choice else []
            else:
                frames = read(stream, index=choice, format=form)
    except Exception as error:  # every reader of ASE raises its own kind
        hint = " (fewer frames than that?)" if isinstance(error, (IndexError, StopIteration)) else ""
        raise InputError(f"system file {path} cannot be read{hint}: {error_line(error)}") from error
    return frames if isinstance(frames, list) else [frames]
