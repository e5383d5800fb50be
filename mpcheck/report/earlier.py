"""Records of an earlier run in the same directory: never taken for this run's, never lost where they say more."""

from __future__ import annotations

from pathlib import Path

from mpcheck._errors import InputError
from mpcheck._files.io import is_file
from mpcheck.records.document import Records
from mpcheck.records.read import read_document

SUFFIXES = ("json", "md", "svg", "png")  # png: an earlier version wrote pictures so


def records_path(directory: Path, suite: str) -> Path:
    """``SESSION.json``."""
    return directory / f"{suite}.json"


def earlier_path(directory: Path, suite: str) -> Path:
    """Where an earlier run's records lie, by a name that nobody reads as records of now."""
    return _earlier(records_path(directory, suite))


def beside(directory: Path, suite: str) -> list[Path]:
    """A session's records, and what is written of them beside."""
    return [directory / f"{suite}.{suffix}" for suffix in SUFFIXES]


def _earlier(path: Path) -> Path:
    return path.with_name(f"{path.name}.earlier")


def _read(path: Path) -> Records | None:
    try:
        return read_document(path) if is_file(path) else None
    except InputError:  # damaged, or of another version: it says nothing that could be lost
        return None


def _holds(wide: Records | None, narrow: Records | None) -> bool:
    """Whether one run planned all that another did, of the same model."""
    if wide is None or narrow is None:
        return narrow is None
    return wide.model.digest == narrow.model.digest and {p.key for p in narrow.plan} <= {p.key for p in wide.plan}


def set_aside(directory: Path, suite: str, new: Records | None = None) -> list[str]:
    """Move the records of an earlier run away before a new one begins: whatever becomes of it, they are not its verdict.

    Args:
        new: what begins, once it is known; what it does not cover of the earlier run is told.

    Raises:
        InputError: the directory cannot be written.
    """
    current, kept = records_path(directory, suite), earlier_path(directory, suite)
    try:
        if is_file(current):
            keep = not (is_file(kept) and _holds(_read(kept), _read(current)))
            for path in beside(directory, suite):  # what people read of it goes with it
                if is_file(path):
                    path.replace(_earlier(path)) if keep else path.unlink()
    except OSError as error:
        raise InputError(f"--out {directory} cannot be written: {error.strerror or error}; give another directory") from error
    old = _read(kept)
    if new is None or old is None or _holds(new, old):
        return []
    return [f"kept the records of an earlier run that judged what this one leaves out: {kept}"]


def remove_earlier(directory: Path, document: Records) -> None:
    """Remove the earlier run's records where the new ones are complete and cover them."""
    kept = earlier_path(directory, document.suite)
    if document.state == "complete" and is_file(kept) and _holds(document, _read(kept)):
        for path in beside(directory, document.suite):
            _earlier(path).unlink(missing_ok=True)


def withdraw(directory: str | None, suite: str) -> None:
    """Remove records that say that a run has begun, where bad input ended it before anything was judged."""
    if directory is not None:
        records_path(Path(directory), suite).unlink(missing_ok=True)
