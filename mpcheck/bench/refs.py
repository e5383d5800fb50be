"""What ``--against`` names: another Python environment, or a commit of the repository at hand."""

from __future__ import annotations

import contextlib
import os
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

from mpcheck._errors import InputError
from mpcheck.bench.duel import Side
from mpcheck.bench.launches import package_root


def _interpreter(path: Path) -> Path | None:
    """The Python of an environment, or the path itself where it is one."""
    if path.is_dir():
        for inside in ("bin/python", "Scripts/python.exe", "python.exe"):
            if (path / inside).exists():
                return path / inside
        return None
    return path if path.is_file() and os.access(path, os.X_OK) else None


def _git(*arguments: str, cwd: Path) -> subprocess.CompletedProcess[str]:
    return subprocess.run(["git", *arguments], cwd=cwd, capture_output=True, text=True, check=False)


def source_paths(tree: Path) -> tuple[str, ...]:
    """What of a checkout goes on Python's path: ``src`` where its packages are there, else the checkout.

    Where the checkout has mpcheck itself, this process's comes first: what measures must be the same on both sides.
    """
    place = tree / "src" if (tree / "src").is_dir() else tree
    return (package_root(), str(place)) if (place / "mpcheck").is_dir() else (str(place),)


@contextlib.contextmanager
def sides(against: str, repository: Path) -> Iterator[tuple[Side, Side]]:
    """Base and head.

    Args:
        against: a directory with a Python environment, an interpreter, or a commit of ``repository``. With a commit, the base
            is that commit's files on top of the present environment, and the head is the working tree's.

    Raises:
        InputError: neither an environment nor a commit.
    """
    interpreter = _interpreter(Path(against))
    if interpreter is not None:
        yield Side("base", str(interpreter)), Side("head", sys.executable)
        return
    if Path(against).exists():
        raise InputError(f"--against {against}: no Python environment in it; give its directory, its python, or a commit")
    root = _git("rev-parse", "--show-toplevel", cwd=repository)
    commit = _git("rev-parse", "--verify", "--quiet", "--end-of-options", f"{against}^{{commit}}", cwd=repository)
    if root.returncode or commit.returncode:
        where = f"a commit of {repository}" if not root.returncode else f"a commit ({repository} is no git repository)"
        raise InputError(f"--against {against}: neither a Python environment nor {where}; give one of them")
    top = Path(root.stdout.strip())
    with tempfile.TemporaryDirectory(prefix="mpcheck-base-") as directory:
        tree = Path(directory) / "tree"
        made = _git("worktree", "add", "--detach", "--quiet", str(tree), commit.stdout.strip(), cwd=top)
        if made.returncode:
            raise InputError(f"--against {against}: git cannot check it out: {made.stderr.strip().splitlines()[-1]}")
        try:
            yield Side("base", sys.executable, source_paths(tree)), Side("head", sys.executable, source_paths(top))
        finally:
            if _git("worktree", "remove", "--force", str(tree), cwd=top).returncode:
                shutil.rmtree(tree, ignore_errors=True)
                _git("worktree", "prune", cwd=top)


def same_sources(hello: Mapping[str, Mapping[str, Any]]) -> bool:
    """Whether both sides import the very same libraries, so that nothing can differ."""

    def content(side: str) -> dict[str, tuple[str, str]]:
        return {name: (facts["version"], facts["digest"]) for name, facts in hello[side]["sources"].items()}

    return content("base") == content("head")
