"""Files of this mpcheck, by which two records tell whether one and the same mpcheck judged them."""

from __future__ import annotations

import hashlib
from collections.abc import Iterator
from functools import cache
from pathlib import Path

BESIDE = ("tolerances", "tests/blocks", "tests/symmetry", "tests/audit", "tests/benchmarks")
"""What a wheel holds inside the package lies beside it in a checkout."""


def package_root() -> str:
    """Where this mpcheck is: a checkout, or the directory of installed packages."""
    return str(Path(__file__).resolve().parents[1])


def own_places() -> list[Path]:
    """Directories of the package, and in a checkout of the limits and suites beside it."""
    package = Path(__file__).resolve().parent
    beside = [package.parent / name for name in BESIDE] if not (package / "_tolerances").is_dir() else []
    return [package, *(place for place in beside if place.is_dir())]


def own_files() -> Iterator[Path]:
    """Every file that decides what is judged, and how; none that Python has compiled."""
    for place in own_places():
        yield from sorted(path for path in place.rglob("*") if "__pycache__" not in path.parts and path.is_file())


@cache
def own_digest() -> str:
    """SHA-256 of names and contents of :func:`own_files`, 16 digits: the same wherever the same mpcheck lies."""
    root, state = Path(package_root()), hashlib.sha256()
    for path in own_files():
        content = hashlib.sha256(path.read_bytes()).hexdigest()
        state.update(f"{path.relative_to(root).as_posix()}\0{content}\n".encode())
    return state.hexdigest()[:16]
