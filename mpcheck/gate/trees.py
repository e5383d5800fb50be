"""The two trees of files: base is a commit's, head is what lies in the working directory."""

from __future__ import annotations

import contextlib
import os
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from mpcheck._errors import InputError
from mpcheck._files.git import answer, changed, checked_out, commit_of, top_of

NO_PACKAGES = frozenset({"tests", "test", "testing", "docs", "doc", "examples", "example", "scripts", "benchmarks", "tools", "ci"})
"""Directories with an ``__init__.py`` that nobody imports to compute anything."""


@dataclass(frozen=True)
class Tree:
    """One side's files.

    Attributes:
        name: ``base`` or ``head``; commit: its id, empty where there is no git. top: of the repository; root: what is gated, below it.
    """

    name: str
    commit: str
    top: Path
    root: Path

    @property
    def source(self) -> Path:
        """What goes on Python's path: ``src`` where there are packages in it, else the root."""
        return self.root / "src" if any((self.root / "src").glob("*/__init__.py")) else self.root

    @property
    def packages(self) -> list[str]:
        """Names of the packages in it."""
        names = (path.parent.name for path in self.source.glob("*/__init__.py"))
        return sorted(name for name in names if name.isidentifier() and name not in NO_PACKAGES)


@contextlib.contextmanager
def trees(root: Path, base: str) -> Iterator[tuple[Tree | None, Tree]]:
    """Base, where a commit is named, and head. The repository is only read.

    Raises:
        InputError: no directory, no git, no such commit, or nothing differs.
    """
    if not root.is_dir():
        raise InputError(f"--root {root} is no directory; name the repository's")
    root = root.resolve()
    top = _top(root, needed=bool(base))
    head = Tree("head", _head_commit(top), top or root, root)
    if not base:
        yield None, head
        return
    assert top is not None  # it was needed
    commit = commit_of(base, top)
    if commit is None:
        raise InputError(f"base {base}: {top} has no such commit; fetch it (in a workflow: fetch-depth: 0), or name one that is there")
    if not changed(commit, top):
        raise InputError(f"base {base}: head has the very same files, so there is nothing to compare; name the commit before the change, or no base")
    with checked_out(commit, top) as files:
        below = files / root.relative_to(top.resolve())
        if not below.is_dir():
            raise InputError(f"base {base}: directory {root.relative_to(top.resolve())} does not exist in that commit; gate without a base")
        yield Tree("base", commit[:12], files, below), head


def _top(root: Path, needed: bool) -> Path | None:
    try:
        top = top_of(root)
    except InputError:
        if needed:
            raise
        return None
    if top is None and needed:
        raise InputError(f"--root {root} is no git repository, so that no base can be taken from it; name no base, or the repository")
    return top


def _head_commit(top: Path | None) -> str:
    if os.environ.get("MPCHECK_COMMIT"):
        return os.environ["MPCHECK_COMMIT"][:12]
    return answer("rev-parse", "--short=12", "HEAD", cwd=top) if top is not None else ""
