"""Atomic writes, content hashes and bounded text reading."""

from __future__ import annotations

import contextlib
import hashlib
import os
import tempfile
from collections.abc import Iterator
from pathlib import Path

from mpcheck._errors import InputError

MAX_TEXT_BYTES = 256 * 1024 * 1024


@contextlib.contextmanager
def atomic_path(target: Path) -> Iterator[Path]:
    """A temporary sibling of ``target``, moved over it when the block ends well and removed when it does not.

    Readers see the old file or the new one, never half of one; two writers of the same content may race harmlessly.

    Raises:
        InputError: the directory is read-only or full.
    """
    try:
        target.parent.mkdir(parents=True, exist_ok=True)
        handle, name = tempfile.mkstemp(prefix=f".{target.name}.", suffix=".tmp", dir=target.parent)
        os.close(handle)
    except OSError as error:
        raise InputError(f"cannot write {target}: {error.strerror or error}; choose a writable place with free space") from error
    temporary = Path(name)
    try:
        yield temporary
        mask = os.umask(0)
        os.umask(mask)
        temporary.chmod(0o666 & ~mask)  # mkstemp makes private files; a result is an ordinary one
        temporary.replace(target)
    except OSError as error:
        raise InputError(f"cannot write {target}: {error.strerror or error}; choose a writable place with free space") from error
    finally:
        temporary.unlink(missing_ok=True)


def write_text(target: Path, text: str) -> None:
    """Write UTF-8 text atomically."""
    with atomic_path(target) as temporary:
        temporary.write_text(text, encoding="utf-8")


def read_text(path: Path, what: str) -> str:
    """The UTF-8 text of a file that the user named; ``what`` says in the error what it was meant to be.

    Raises:
        InputError: missing, unreadable, not UTF-8, or larger than 256 MiB.
    """
    try:
        if path.stat().st_size > MAX_TEXT_BYTES:
            raise InputError(f"{what} {path} is larger than {MAX_TEXT_BYTES >> 20} MiB; this cannot be the right file")
        return path.read_text(encoding="utf-8")
    except FileNotFoundError as error:
        raise InputError(f"{what} {path} does not exist; check the path") from error
    except UnicodeDecodeError as error:
        raise InputError(f"{what} {path} is not UTF-8 text (byte {error.start}); check that it is the right file") from error
    except OSError as error:
        raise InputError(f"{what} {path} cannot be read: {error.strerror or error}") from error


def is_file(path: Path) -> bool:
    """Whether a file is there. A name that no file can have, too long for one, is a file that is not there."""
    try:
        return path.is_file()
    except (OSError, ValueError):
        return False


def sha256_file(path: Path) -> str:
    """Hexadecimal SHA-256 of a file's bytes, read piece by piece."""
    state = hashlib.sha256()
    with path.open("rb") as stream:
        while piece := stream.read(1 << 20):
            state.update(piece)
    return state.hexdigest()


def digest(*parts: str | bytes) -> str:
    """SHA-256 over length-prefixed parts, so that ``("ab", "c")`` and ``("a", "bc")`` differ."""
    state = hashlib.sha256()
    for part in parts:
        data = part.encode() if isinstance(part, str) else part
        state.update(len(data).to_bytes(8, "little"))
        state.update(data)
    return state.hexdigest()
