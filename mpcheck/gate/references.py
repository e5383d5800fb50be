"""References that base made, kept where no code of head writes: a gate works on a copy, and only base's own come back."""

from __future__ import annotations

import contextlib
import shutil
from pathlib import Path

from mpcheck._files.io import atomic_path, is_file
from mpcheck.reference.layout import GATES, touch

DIRECTORY = GATES


def lent(cache: Path, work: Path, key: str) -> None:
    """Copy what an earlier gate kept of the same code. A file that cannot be copied is made anew."""
    _copied(cache / DIRECTORY / key, work / DIRECTORY / key)


def kept(cache: Path, work: Path, key: str) -> None:
    """Keep what base has made, for the next gate. Called before anything of head runs."""
    _copied(work / DIRECTORY / key, cache / DIRECTORY / key)


def _copied(source: Path, target: Path) -> None:
    """Files that the target lacks, each whole or not at all; a manifest, which makes an entry one, after its tensors."""
    files = [path for path in source.rglob("*") if is_file(path) and not path.is_symlink() and path.suffix in (".safetensors", ".json")]
    for path in sorted(files, key=lambda p: (p.suffix == ".json", p)):
        into = target / path.relative_to(source)
        if not into.exists():
            # what is pruned meanwhile is made anew
            with contextlib.suppress(FileNotFoundError), path.open("rb") as stream, atomic_path(into) as temporary, temporary.open("wb") as copy:
                shutil.copyfileobj(stream, copy)
        if path.suffix == ".safetensors":
            touch(path)
