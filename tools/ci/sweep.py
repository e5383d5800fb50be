"""Remove what a job left in the workspace of a self-hosted runner; the runner itself empties its temporary directory.

Whatever the job's own code has started outlives this; only an ephemeral runner is clean (SECURITY.md).
"""

from __future__ import annotations

import os
import shutil
from pathlib import Path

from mpcheck._text import say
from tools.ci.github import fail, job, required


def empty(directory: Path, kept: Path | None = None) -> list[str]:
    """Remove everything in a directory, never what a link in it leads to.

    Args:
        kept: a directory in it that is only emptied: nox returns to where it began.

    Returns:
        What could not be removed.
    """
    left: list[str] = []
    for entry in directory.iterdir():
        if entry.is_symlink() or not entry.is_dir():
            entry.unlink(missing_ok=True)
        elif entry.resolve() == kept:
            left += empty(entry)
            continue
        else:
            shutil.rmtree(entry, ignore_errors=True)
        if entry.exists():
            left.append(str(entry))
    return left


def main() -> None:
    """Of a self-hosted runner only: a hosted one is thrown away, and elsewhere this may be somebody's directory."""
    if os.environ.get("GITHUB_ACTIONS") != "true" or os.environ.get("RUNNER_ENVIRONMENT") != "self-hosted":
        say("not a self-hosted runner: nothing is removed")
        return
    left = empty(Path(required("GITHUB_WORKSPACE")), kept=Path.cwd())
    if left:
        fail(f"left on the runner: {', '.join(left)}; remove them by hand, and use ephemeral runners (SECURITY.md)")
    say("nothing of this job is left")


if __name__ == "__main__":
    job(main)
