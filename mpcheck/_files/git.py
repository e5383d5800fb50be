"""What is read from a git repository. Nothing is written into it."""

from __future__ import annotations

import contextlib
import os
import subprocess
import tempfile
from collections.abc import Iterator
from pathlib import Path

from mpcheck._errors import InputError


def git(*arguments: str, cwd: Path, **variables: str) -> subprocess.CompletedProcess[str]:
    """Run git, whatever it answers.

    Raises:
        InputError: git is not on PATH.
    """
    try:
        return subprocess.run(["git", *arguments], cwd=cwd, capture_output=True, text=True, check=False, env={**os.environ, **variables})
    except FileNotFoundError as error:
        raise InputError("a commit needs git, which is not on PATH; install it") from error


def answer(*arguments: str, cwd: Path) -> str:
    """What git says in a line; empty where it refuses."""
    done = git(*arguments, cwd=cwd)
    return done.stdout.strip() if done.returncode == 0 else ""


def top_of(directory: Path) -> Path | None:
    """The top of the repository that a directory is in; None where it is in none."""
    top = answer("rev-parse", "--show-toplevel", cwd=directory)
    return Path(top) if top else None


def commit_of(name: str, repository: Path) -> str | None:
    """The full id of a commit by any of its names; None where the repository has no such commit."""
    return answer("rev-parse", "--verify", "--quiet", "--end-of-options", f"{name}^{{commit}}", cwd=repository) or None


def changed(commit: str, repository: Path) -> bool:
    """Whether the working tree differs from a commit, files that are not tracked included."""
    tracked = git("diff", "--quiet", commit, "--", cwd=repository).returncode != 0
    return tracked or bool(git("ls-files", "--others", "--exclude-standard", cwd=repository).stdout.strip())


@contextlib.contextmanager
def checked_out(commit: str, top: Path) -> Iterator[Path]:
    """A commit's files in a temporary directory, gone with the block.

    An index and files of its own: unlike a worktree, nothing of it is in the repository, where a killed process would leave it.

    Raises:
        InputError: git cannot check it out.
    """
    with tempfile.TemporaryDirectory(prefix="mpcheck-base-", ignore_cleanup_errors=True) as directory:
        tree, index = Path(directory) / "tree", {"GIT_INDEX_FILE": str(Path(directory) / "index")}
        for step in (("read-tree", commit), ("checkout-index", "--all", f"--prefix={tree}/")):
            made = git(*step, cwd=top, **index)
            if made.returncode:
                reason = (made.stderr.strip().splitlines() or ["no reason given"])[-1]
                raise InputError(f"commit {commit[:12]}: git cannot check it out: {reason}")
        tree.mkdir(exist_ok=True)  # of a commit without files
        yield tree
