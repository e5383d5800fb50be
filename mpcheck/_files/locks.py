"""Locks between processes: who waits says for whom, and gives up."""

from __future__ import annotations

import contextlib
import datetime
import os
import socket
import time
import weakref
from collections.abc import Iterable, Iterator
from pathlib import Path

import filelock

from mpcheck._errors import InputError
from mpcheck._files.io import read_text, refuse_irregular
from mpcheck._text import say, shortened

VARIABLE = "MPCHECK_LOCK_SECONDS"
SECONDS = 1800.0
"""What is waited by default: a large model's reference takes minutes to build. A holder that ends, killed or not, frees its lock at once."""
PATIENCE = 3.0
"""Seconds after which a waiting process says so."""


def lock_seconds() -> float:
    """How long a process waits for another: ``MPCHECK_LOCK_SECONDS``, or half an hour.

    Raises:
        InputError: no number of seconds.
    """
    text = os.environ.get(VARIABLE, "").strip()
    try:
        seconds = float(text) if text else SECONDS
    except ValueError:
        seconds = -1.0
    if not 0 <= seconds < 1e9:  # NaN is neither
        raise InputError(f"variable {VARIABLE} is {text[:40]!r}; give seconds such as 600")
    return seconds


def _holder_file(lock: Path) -> Path:
    return lock.with_name(f"{lock.name}.holder")


def _holder(lock: Path) -> str:
    """Who holds a lock, as that process wrote it."""
    try:
        return shortened(read_text(_holder_file(lock), "lock", 1 << 20), 200) or "another process"
    except InputError:  # it has just ended, or could not write it
        return "another process"


def _sign(lock: Path) -> None:
    """Say who holds a lock; where that cannot be written, nobody knows."""
    now = datetime.datetime.now(datetime.timezone.utc).replace(microsecond=0).isoformat()
    with contextlib.suppress(OSError, InputError):
        refuse_irregular(_holder_file(lock), "lock")
        _holder_file(lock).write_text(f"process {os.getpid()} on {socket.gethostname()} since {now}\n", encoding="utf-8")


@contextlib.contextmanager
def locked(lock: Path, what: str, most: float | None = None) -> Iterator[None]:
    """Hold a lock while the block runs.

    Args:
        lock: its file. what: is locked, for the messages. most: seconds that it is waited for at most, where it is not the usual time.

    Raises:
        InputError: another process holds it for longer than that, by default ``MPCHECK_LOCK_SECONDS``; the lock's name is no regular file's.
        OSError: the place cannot be written.
    """
    refuse_irregular(lock, "lock", "remove it")
    seconds = lock_seconds() if most is None else most
    own = filelock.FileLock(lock)
    _acquire(own, lock, what, seconds)
    try:
        _sign(lock)
        yield
    finally:
        with contextlib.suppress(OSError):
            _holder_file(lock).unlink(missing_ok=True)
        own.release()


def _acquire(own: filelock.BaseFileLock, lock: Path, what: str, seconds: float) -> None:
    began = time.monotonic()
    patience = min(PATIENCE, seconds)
    with contextlib.suppress(filelock.Timeout):
        own.acquire(timeout=patience)
        return
    if seconds > patience:
        say(f"mpcheck: waiting for {_holder(lock)}, which holds {what} ({lock}); gives up after {seconds:g} s ({VARIABLE})", error=True)
    try:
        own.acquire(timeout=max(0.0, seconds - (time.monotonic() - began)))
    except filelock.Timeout as error:
        raise InputError(
            f"{what} is locked by {_holder(lock)} for more than {seconds:g} s ({lock}); wait for it, end it, or set {VARIABLE}"
        ) from error


def share(lock: Path, holder: object) -> None:
    """Hold a lock together with others as long as an object lives, so that :func:`if_free` tells that somebody does.

    Where it cannot be held, on a read-only disk say, nobody is told, which harms nothing.

    Args:
        lock: its file, which must be no link.
    """
    with contextlib.suppress(OSError, ImportError):  # Windows has no such locks
        import fcntl

        handle = os.open(lock, os.O_RDONLY | os.O_CREAT | os.O_NOFOLLOW | os.O_NONBLOCK, 0o666)  # to be read is enough to share a lock
        weakref.finalize(holder, os.close, handle)  # which gives it back; so does the end of the process, killed or not
        fcntl.flock(handle, fcntl.LOCK_SH | fcntl.LOCK_NB)


@contextlib.contextmanager
def if_free(locks: Iterable[Path]) -> Iterator[bool]:
    """Hold locks while the block runs if nobody else holds one of them, without waiting; whether that is so.

    Raises:
        OSError: a lock cannot be opened.
    """
    with contextlib.ExitStack() as held:
        free = True
        for lock in locks:
            try:
                held.enter_context(filelock.FileLock(lock).acquire(timeout=0))
            except filelock.Timeout:
                free = False
                break
        yield free
