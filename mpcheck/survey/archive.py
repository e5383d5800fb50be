"""A survey's archive: logs, records and baselines in one file of bounded size, which is also what a later run goes on from."""

from __future__ import annotations

import zipfile
import zlib
from collections.abc import Iterable, Iterator, Mapping, Sequence
from pathlib import Path, PurePosixPath

from mpcheck._errors import InputError
from mpcheck._files.io import atomic_path, refuse_irregular

LIMIT = 16 * 1000 * 1000
"""Bytes of any file that a survey leaves."""
RESERVE = 256 * 1000
"""Of them for the archive's own list of names."""
LOG = "log.txt"
LOG_BYTES = 2 << 20
"""Of one log; what is longer loses its middle."""
LEFT_OUT = "left-out.txt"
ORDER = ("state.json", "found.json", "baselines/", ".json", LOG, ".md", ".xml", ".yaml", ".svg")
"""What is kept first, by the end of its name or a directory in it; traces of timelines come last."""
PACKED = (".gz", ".zip", ".png", ".safetensors")
"""What does not shrink any more."""
MOST = 512 << 20
MOST_FILES = 5000


def rank(name: str) -> int:
    """Where a file comes in the order of what is kept."""
    return next((i for i, word in enumerate(ORDER) if name.endswith(word) or (word.endswith("/") and f"/{word}" in f"/{name}")), len(ORDER))


def _content(path: Path) -> bytes:
    data = path.read_bytes()
    if path.name == LOG and len(data) > LOG_BYTES:
        half = LOG_BYTES // 2
        data = data[:half] + b"\n... left out ...\n" + data[-half:]
    return data


def write_archive(target: Path, files: Mapping[str, Path], texts: Mapping[str, str], limit: int = LIMIT, before: Sequence[str] = ()) -> list[str]:
    """Write it atomically.

    Args:
        files: by their names in it; those that are gone are passed over. texts: further ones, which are always kept.
        before: names that there was no room for before, so that they are not among the files.

    Returns:
        Names that there was no room for; it holds them as a list, too.

    Raises:
        InputError: the place cannot be written.
    """
    left = [name for name in before if name not in files]
    with atomic_path(target) as temporary, zipfile.ZipFile(temporary, "w", zipfile.ZIP_DEFLATED, compresslevel=6) as archive:
        for name, text in texts.items():
            archive.writestr(name, text)
        for name in sorted(files, key=lambda name: (rank(name), _size(files[name]), name)):
            room = limit - RESERVE - _tell(archive)
            if _size(files[name]) > (1 if name.endswith(PACKED) else 20) * max(room, 0):  # no use in trying: text shrinks to a tenth
                left.append(name)
                continue
            try:
                data = _content(files[name])
            except OSError:  # a part that runs has taken it away
                continue
            packed = _packed(data)
            if packed > room:
                left.append(name)
                continue
            archive.writestr(name, data)
        if left:
            archive.writestr(LEFT_OUT, "".join(f"{name}\n" for name in left[:1000]))
    return left


def _size(path: Path) -> int:
    try:
        size = path.stat().st_size
    except OSError:
        return 0
    return min(size, LOG_BYTES) if path.name == LOG else size


def _tell(archive: zipfile.ZipFile) -> int:
    return 0 if archive.fp is None else archive.fp.tell()


def _packed(data: bytes) -> int:
    return len(zlib.compress(data, 6)) + 512


def members(path: Path, limit: int = MOST) -> Iterator[tuple[str, bytes]]:
    """Names and contents of an archive, those that a survey may have written.

    Raises:
        InputError: missing, no archive, damaged, larger than any survey's, or with a name that leads elsewhere.
    """
    refuse_irregular(path, "archive")
    remedy = "give the directory that `mpcheck survey --out` wrote"
    try:
        with zipfile.ZipFile(path) as archive:
            infos = archive.infolist()
            if len(infos) > MOST_FILES or sum(info.file_size for info in infos) > limit:
                raise InputError(f"archive {path} holds more than any survey's; {remedy}")
            for info in infos:
                if not safe(info.filename) or info.is_dir():
                    raise InputError(f"archive {path}: {info.filename!r} is no name of a survey's file; {remedy}")
                yield info.filename, archive.read(info)
    except FileNotFoundError as error:
        raise InputError(f"archive {path} does not exist; {remedy}") from error
    except (zipfile.BadZipFile, zlib.error, EOFError, NotImplementedError, RuntimeError, OSError, ValueError) as error:
        raise InputError(f"archive {path} cannot be read: {error}; {remedy}") from error


def safe(name: str) -> bool:
    """Whether a name stays below the directory that it is unpacked into."""
    path = PurePosixPath(name)
    return bool(name) and "\\" not in name and ":" not in name and not path.is_absolute() and ".." not in path.parts


def unpack(path: Path, directory: Path, names: Iterable[str] = ()) -> None:
    """Unpack what begins with one of some names, everything where there are none. Raises as :func:`members`."""
    wanted = tuple(names)
    for name, data in members(path):
        if not wanted or name.startswith(wanted):
            place = directory / name
            place.parent.mkdir(parents=True, exist_ok=True)
            place.write_bytes(data)
