"""Packages by content: their files, and what these import. Nothing is imported for it."""

from __future__ import annotations

import importlib.util
import os
import re
import sys
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from functools import cache
from pathlib import Path

from mpcheck._files.io import digest, sha256_file

LEFT_OUT = frozenset({"torch", "numpy", "mpcheck", "tests", "test", "conftest", "setup"}) | sys.stdlib_module_names
IMPORT = re.compile(rb"^[ \t]*(?:from[ \t]+(\w+)[\w.]*[ \t]+import\b|import[ \t]+(\w[^\n#;]*))", re.MULTILINE)
DYNAMIC = re.compile(rb"""(?:import_module|__import__)\(\s*["'](\w+)""")
BULK_FILES, BULK_BYTES = 400, 32 << 20
"""Installed packages beyond either (sympy, scipy, a GPU's kernels) are known by what their installer recorded: hashes and sizes."""


@dataclass(frozen=True)
class DigestedPackage:
    """A package or a module of one file.

    Attributes:
        name: top-level; place: directory or file; digest: of its content, whatever the place is called.
    """

    name: str
    place: Path
    digest: str


def closure(names: Iterable[str]) -> list[DigestedPackage]:
    """The packages of those names that are there, and what they import, apart from torch, numpy and the standard library.

    What lies in a source tree, as a fork's helper does, is followed into what it imports itself; what an installer put there is not.
    """
    packages: dict[str, DigestedPackage] = {}
    roots = list(dict.fromkeys(names))
    waiting = [(name, True) for name in roots]
    while waiting:
        name, root = waiting.pop()
        if name in packages or name in LEFT_OUT or (place := place_of(name)) is None:
            continue
        installed = None if root else distribution(place)
        packages[name] = DigestedPackage(name, place, content(place) if installed is None else _installed(place, installed[1]))
        if installed is None:
            waiting += [(other, other in roots) for other in sorted(imports(place))]
    return list(packages.values())


def place_of(name: str) -> Path | None:
    """Where a top-level package is, or would be, imported from; None where it is in no file."""
    module = sys.modules.get(name)
    try:
        spec = getattr(module, "__spec__", None) or (importlib.util.find_spec(name) if module is None else None)
    except (ImportError, ValueError):
        spec = None
    origin = getattr(module, "__file__", None) or (spec.origin if spec is not None and spec.has_location else None)
    if origin is not None:
        path = Path(origin)
        return (path.parent if path.name.startswith("__init__.") else path).resolve()
    # a directory without __init__.py is a package only for who imports it: the name of a folder beside us must not change anything
    return next((Path(p).resolve() for p in getattr(module, "__path__", [])), None)


def files(place: Path) -> Iterator[Path]:
    """Files of a package in a fixed order: sources, compiled extensions, tables. Links to directories are followed, once each."""
    if not place.is_dir():
        yield place
        return
    seen: set[str] = set()
    for directory, folders, names in os.walk(place, followlinks=True):
        real = os.path.realpath(directory)
        folders[:] = [] if real in seen else sorted(f for f in folders if f != "__pycache__" and not f.startswith("."))
        if real not in seen:
            yield from (path for n in sorted(names) if not n.startswith(".") and (path := Path(directory) / n).is_file())
        seen.add(real)


@cache
def _digest_of(path: str, changed: int, size: int) -> str:
    """Kept for the process alone: a copied tree may have an older tree's times."""
    del changed, size
    return sha256_file(Path(path))


def content(place: Path) -> str:
    """Digest of a package's files with their names below it."""
    parts = []
    for path in files(place):
        state = path.stat()
        parts += [path.relative_to(place).as_posix() if path != place else path.name, _digest_of(str(path), state.st_mtime_ns, state.st_size)]
    return digest(*parts)


@cache
def _imports_of(path: str, changed: int, size: int) -> frozenset[str]:
    del changed, size
    text, names = Path(path).read_bytes(), set()
    for module, several in IMPORT.findall(text):
        names.update([module] if module else [part.split()[0].partition(b".")[0] for part in several.split(b",") if part.split()])
    names.update(DYNAMIC.findall(text))
    return frozenset(name.decode("utf-8", "replace") for name in names)


def imports(place: Path) -> set[str]:
    """Top-level names that a package's sources import anywhere; a few that only look like it do no harm."""
    names: set[str] = set()
    for path in files(place):
        if path.suffix == ".py":
            state = path.stat()
            names |= _imports_of(str(path), state.st_mtime_ns, state.st_size)
    return {name for name in names if name.isidentifier()}


@cache
def _records(directory: Path) -> tuple[tuple[str, bytes], ...]:
    """Of every distribution that was installed into a directory from an index: its name with its version, and what its installer recorded."""
    records = (p for p in sorted(directory.glob("*.dist-info/RECORD")) if not (p.parent / "direct_url.json").is_file())
    return tuple((p.parent.name.removesuffix(".dist-info"), b"\n" + p.read_bytes()) for p in records)


def distribution(place: Path) -> tuple[str, bytes] | None:
    """Name with version, and record, of the distribution that a package's files are of; None for a source tree, and what was installed from one."""
    first = f"\n{place.name}{'/' if place.is_dir() else ','}".encode()
    return next(((name, record) for name, record in _records(place.parent) if first in record), None)


def _installed(place: Path, record: bytes) -> str:
    """Digest of an installed package: of its files or, where they are many, of what the installer recorded, with the sizes that they have now."""
    rows = [row for row in record.decode("utf-8", "replace").splitlines() if row.startswith((f"{place.name}/", f"{place.name},"))]
    recorded = [(place.parent / row.rsplit(",", 2)[0].strip('"'), row) for row in sorted(rows) if "__pycache__" not in row]
    sizes = [path.stat().st_size if path.is_file() else -1 for path, _ in recorded]
    if len(recorded) <= BULK_FILES and sum(sizes) <= BULK_BYTES:
        return content(place)
    return digest(*(f"{row} {size}" for (_, row), size in zip(recorded, sizes, strict=True)))
