"""What ``--against`` names: another Python environment, or a commit of the repository at hand."""

from __future__ import annotations

import contextlib
import os
import sys
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

from mpcheck._errors import InputError
from mpcheck._files.git import checked_out, commit_of, top_of
from mpcheck._own import package_root
from mpcheck.bench.launch.paired import MeasuredSide
from mpcheck.bench.launch.processes import own_paths


def _interpreter(path: Path) -> Path | None:
    """The Python of an environment, or the path itself where it is one; absolute, because a bare name would be looked for in PATH."""
    if path.is_dir():
        for inside in ("bin/python", "Scripts/python.exe", "python.exe"):
            if (path / inside).exists():
                return (path / inside).absolute()
        return None
    return path.absolute() if path.is_file() and os.access(path, os.X_OK) else None


def source_paths(tree: Path) -> tuple[str, ...]:
    """What of a checkout goes on Python's path: ``src`` where its packages are there, else the checkout.

    Where the checkout has mpcheck itself, this process's comes first: what measures must be the same on both sides.
    """
    place = tree / "src" if any((tree / "src").glob("*/__init__.py")) else tree
    return (package_root(), str(place)) if (place / "mpcheck").is_dir() else (str(place),)


@contextlib.contextmanager
def sides(against: str, repository: Path) -> Iterator[tuple[MeasuredSide, MeasuredSide]]:
    """Base and head.

    Args:
        against: a directory with a Python environment, an interpreter, or a commit of ``repository``. With a commit, the base
            is that commit's files on top of the present environment, and the head is the working tree's.

    Raises:
        InputError: neither an environment nor a commit.
    """
    try:
        interpreter, present = _interpreter(Path(against)), Path(against).exists()
    except (OSError, ValueError):  # a name that no file can have
        interpreter, present = None, False
    if interpreter is not None:
        yield MeasuredSide("base", str(interpreter)), MeasuredSide("head", sys.executable, own_paths())
        return
    if present:
        raise InputError(f"--against {against}: no Python environment in it; give its directory, its python, or a commit")
    top = top_of(repository)
    commit = commit_of(against, top) if top is not None else None
    if top is None or commit is None:
        where = f"a commit of {repository}" if top is not None else f"a commit ({repository} is no git repository)"
        raise InputError(f"--against {against}: neither a Python environment nor {where}; give one of them")
    with checked_out(commit, top) as tree:
        yield MeasuredSide("base", sys.executable, source_paths(tree)), MeasuredSide("head", sys.executable, source_paths(top))


def same_sources(hello: Mapping[str, Mapping[str, Any]]) -> bool:
    """Whether both sides import the very same libraries, so that nothing can differ."""

    def content(side: str) -> dict[str, tuple[str, str]]:
        return {name: (facts["version"], facts["digest"]) for name, facts in hello[side]["sources"].items()}

    return content("base") == content("head")
