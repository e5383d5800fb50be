"""Atomic writes, content hashes and bounded reading. Nothing but regular files is read or replaced."""

from __future__ import annotations

import contextlib
import hashlib
import os
import stat
import tempfile
from collections.abc import Iterator
from pathlib import Path
from typing import BinaryIO, TextIO

from mpcheck._errors import InputError
from mpcheck._text import half

MAX_TEXT_BYTES = 256 * 1024 * 1024
MAX_MODEL_BYTES = 64 << 30
PIECE = 1 << 20
KINDS = (
    (stat.S_ISDIR, "a directory"), (stat.S_ISFIFO, "a pipe"), (stat.S_ISSOCK, "a socket"), (stat.S_ISCHR, "a device"), (stat.S_ISBLK, "a device"),
)  # fmt: skip


def irregular(mode: int) -> str:
    """What something that is no regular file is, in words; empty for a regular file."""
    return "" if stat.S_ISREG(mode) else next((name for test, name in KINDS if test(mode)), "no regular file")


def refuse_irregular(path: Path, what: str, remedy: str = "give a regular file") -> None:
    """Refuse to read, append to or replace anything but a regular file, links to one included; a name that nothing has is fine.

    Raises:
        InputError: a directory, a pipe, a socket, a device, or a name that no file can have.
    """
    try:
        kind = irregular(path.stat().st_mode)
    except (FileNotFoundError, NotADirectoryError):
        return
    except (OSError, ValueError) as error:
        raise InputError(f"{what} {path} cannot be used: {getattr(error, 'strerror', None) or error}; {remedy}") from error
    if kind:
        raise InputError(f"{what} {path} is {kind}, not a file; {remedy}")


@contextlib.contextmanager
def atomic_path(target: Path) -> Iterator[Path]:
    """A temporary sibling of ``target``, moved over it when the block ends well and removed when it does not.

    Readers see the old file or the new one, never half of one; two writers of the same content may race harmlessly. A link is replaced,
    not what it leads to.

    Raises:
        InputError: the directory is read-only or full, or something that is no file has the name.
    """
    refuse_irregular(target, "output", "it is not replaced; give another name")
    try:
        target.parent.mkdir(parents=True, exist_ok=True)
        handle, name = tempfile.mkstemp(prefix=f".{target.name[:100]}.", suffix=".tmp", dir=target.parent)
        os.close(handle)
    except (OSError, ValueError) as error:
        raise cannot_write(target, error) from error
    temporary = Path(name)
    try:
        yield temporary
        mask = os.umask(0)
        os.umask(mask)
        temporary.chmod(0o666 & ~mask)  # mkstemp makes private files; a result is an ordinary one
        temporary.replace(target)
    except OSError as error:
        raise cannot_write(target, error) from error
    finally:
        temporary.unlink(missing_ok=True)


def cannot_write(target: Path, error: Exception) -> InputError:
    """The line that says why a place cannot be written."""
    return InputError(f"cannot write {target}: {getattr(error, 'strerror', None) or error}; choose a writable place with free space")


def write_text(target: Path, text: str) -> None:
    """Write UTF-8 text atomically. What is no character, such as half a pair or a byte of a name that is not UTF-8, is written as its escape.

    Raises:
        InputError: see :func:`atomic_path`.
    """
    with atomic_path(target) as temporary:
        temporary.write_bytes(text.encode("utf-8", "backslashreplace"))


def append_text(target: Path, text: str, what: str) -> None:
    """Add text at the end of a regular file, which is made where nothing has the name.

    Raises:
        InputError: no regular file, or the place cannot be written.
    """
    refuse_irregular(target, what)
    try:
        with target.open("ab") as stream:
            stream.write(text.encode("utf-8", "backslashreplace"))
    except (OSError, ValueError) as error:
        raise cannot_write(target, error) from error


@contextlib.contextmanager
def log_file(path: Path) -> Iterator[TextIO]:
    """A new file that other processes write what they say into.

    Raises:
        InputError: it cannot be made, or something that is no file has the name.
    """
    refuse_irregular(path, "log")
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        stream = path.open("w", encoding="utf-8")
    except OSError as error:
        raise cannot_write(path, error) from error
    with stream:
        yield stream


def read_tail(path: Path, what: str, limit: int = 16 << 20) -> str:
    """The last of a text of anybody's, of any length and with any bytes in it. Raises as :func:`opened`."""
    with opened(path, what) as stream:
        stream.seek(max(0, os.fstat(stream.fileno()).st_size - limit))
        return stream.read(limit).decode("utf-8", "replace")


@contextlib.contextmanager
def opened(path: Path, what: str) -> Iterator[BinaryIO]:
    """A regular file that the user named, open for reading. ``what`` says in the error what it was meant to be.

    What was opened is looked at again, so that a name that changes hands in between is no way round.

    Raises:
        InputError: missing, unreadable, or no regular file.
    """
    refuse_irregular(path, what)
    try:
        handle = os.open(path, os.O_RDONLY | getattr(os, "O_NONBLOCK", 0) | getattr(os, "O_BINARY", 0))  # a pipe would wait for a writer
        if kind := irregular(os.fstat(handle).st_mode):
            os.close(handle)
            raise InputError(f"{what} {path} is {kind}, not a file; give a regular file")
        with os.fdopen(handle, "rb") as stream:
            yield stream
    except FileNotFoundError as error:
        raise InputError(f"{what} {path} does not exist; check the path") from error
    except OSError as error:
        raise InputError(f"{what} {path} cannot be read: {error.strerror or error}") from error


def _pieces(stream: BinaryIO, path: Path, what: str, limit: int, remedy: str) -> Iterator[bytes]:
    """A stream's bytes; what arrives is counted, since a size that was told may be another one."""
    total = 0
    while piece := stream.read(min(PIECE, limit + 1 - total)):
        total += len(piece)
        if total > limit:
            raise InputError(f"{what} {path} is larger than {limit >> 20} MiB: this cannot be the right file" + (f"; {remedy}" if remedy else ""))
        yield piece


def read_bytes(path: Path, what: str, limit: int = MAX_TEXT_BYTES, remedy: str = "") -> bytes:
    """The bytes of a file that the user named. Raises as :func:`opened`; more than ``limit`` bytes, a whole number of MiB."""
    with opened(path, what) as stream:
        return b"".join(_pieces(stream, path, what, limit, remedy))


def read_text(path: Path, what: str, limit: int = MAX_TEXT_BYTES, remedy: str = "") -> str:
    """The UTF-8 text of a file that the user named, every kind of line end as one. Raises as :func:`read_bytes`; not UTF-8."""
    try:
        text = read_bytes(path, what, limit, remedy).decode("utf-8")
    except UnicodeDecodeError as error:
        raise InputError(f"{what} {path} is not UTF-8 text (byte {error.start}); check that it is the right file") from error
    return text.replace("\r\n", "\n").replace("\r", "\n") if "\r" in text else text


def refuse_unwritable(text: str, what: str) -> None:
    """Refuse a name that no record could hold: JSON, YAML and Markdown are UTF-8, names of files may be any bytes.

    Raises:
        InputError: half a surrogate pair, which is how Python spells such bytes, or a zero character.
    """
    if "\0" in text or half(text):
        raise InputError(f"{what} {text!r} has bytes that are no UTF-8 text, and records could not name it; rename it")


def is_file(path: Path) -> bool:
    """Whether a file is there. A name that no file can have, too long for one, is a file that is not there."""
    try:
        return path.is_file()
    except (OSError, ValueError):
        return False


def is_there(path: Path) -> bool:
    """Whether anything has a name: a file, a directory, a device, a link that leads nowhere."""
    try:
        return os.path.lexists(path)
    except (OSError, ValueError):
        return False


def sha256_file(path: Path, what: str = "file", limit: int = MAX_MODEL_BYTES) -> str:
    """Hexadecimal SHA-256 of a regular file's bytes, read piece by piece. Raises as :func:`read_bytes`."""
    state = hashlib.sha256()
    with opened(path, what) as stream:
        for piece in _pieces(stream, path, what, limit, ""):
            state.update(piece)
    return state.hexdigest()


def digest(*parts: str | bytes) -> str:
    """SHA-256 over length-prefixed parts, so that ``("ab", "c")`` and ``("a", "bc")`` differ."""
    state = hashlib.sha256()
    for part in parts:
        data = part.encode("utf-8", "surrogateescape") if isinstance(part, str) else part
        state.update(len(data).to_bytes(8, "little"))
        state.update(data)
    return state.hexdigest()
