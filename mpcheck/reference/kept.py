"""What a cache of references holds, key by key: its size, its entries, when it was used, what its index tells. Nothing here imports torch."""

from __future__ import annotations

import os
import re
import stat
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from mpcheck._errors import InputError
from mpcheck._files.documents import read_fields
from mpcheck._text import counted, visible
from mpcheck.reference.layout import GATES

INDEX = "index"
"""The entry that lists the blocks of a model; whole models have another one, and no index."""
SCHEMAS = re.compile(r"v([0-9]{1,6})")
KEYS = re.compile(r"[0-9a-f]{16,64}")
OWN = re.compile(r".+\.(safetensors|json|lock|lock\.holder)|\..+\.tmp", re.DOTALL)
"""Files that the cache makes: entries, locks with who holds them, what an interrupted write left."""
REMEDY = "give the cache with --cache DIR or MPCHECK_CACHE_DIR"


@dataclass(frozen=True)
class Kept:
    """All that is kept for one reference key.

    Attributes:
        path: its directory; name: that below the cache's root. schema: the version in which it was written.
        files: names of the cache's own files; size: of all of them, in bytes.
        used: when an entry was last read or written, in seconds since the epoch.
        foreign: the first thing in the directory that is not the cache's, or why it cannot be read; empty where there is none.
    """

    path: Path
    name: str
    schema: int
    files: tuple[str, ...]
    size: int
    used: float
    foreign: str = ""

    @property
    def entries(self) -> int:
        """How many there are: each has a manifest."""
        return sum(name.endswith(".json") for name in self.files)

    @property
    def locks(self) -> list[Path]:
        """Files that a process holds locked while it builds or uses an entry."""
        return [self.path / name for name in self.files if name.endswith(".lock")]


@dataclass(frozen=True)
class Told:
    """What a key's manifest says. It is not verified: texts may be anybody's.

    Attributes:
        what: it holds, in words. made: when. code: digest of the code that made it; by: packages of that, in words.
    """

    what: str
    made: str = ""
    code: str = ""
    by: tuple[str, ...] = ()


def kept(root: Path) -> list[Kept]:
    """Every key in a cache, largest first, also of other schemas and of gates; none where there is no cache yet. Links are not followed.

    Raises:
        InputError: something that is no cache of references has the name, or it cannot be read.
    """
    try:
        inside = sorted(one.name for one in root.iterdir())
        real = root.resolve()  # a link to a cache is the user's own, and is meant; below it none is followed
        found = [measured(path, real, schema) for place in _roots(real) for path, schema in _keys(place)]
        emptied = not found and _emptied(real)
    except FileNotFoundError:
        return []
    except (OSError, ValueError) as error:  # a name that no file can have
        raise InputError(f"cache directory {root} cannot be read: {getattr(error, 'strerror', None) or error}; {REMEDY}") from error
    if inside and not found and not emptied:
        raise InputError(f"{root} is no cache of references: it holds {visible(inside[0], 80)}, and no reference; {REMEDY}")
    return sorted(found, key=lambda one: (-one.size, one.name))


def _directories(place: Path, names: re.Pattern[str]) -> Iterator[Path]:
    """Real directories in a place, by name; a place that is no directory has none."""
    if place.is_dir() and not place.is_symlink():
        yield from (path for path in sorted(place.iterdir()) if names.fullmatch(path.name) and path.is_dir() and not path.is_symlink())


def _roots(root: Path) -> Iterator[Path]:
    """A cache, and those below it that gates keep of base."""
    yield root
    yield from _directories(root / GATES, KEYS)


def _keys(root: Path) -> Iterator[tuple[Path, int]]:
    """Directories of keys, with the schema that they are of."""
    for directory in _directories(root, SCHEMAS):
        yield from ((path, int(directory.name[1:])) for path in _directories(directory, KEYS))


def _emptied(root: Path) -> bool:
    """Whether a cache was here that has nothing left: directories of schemas without anything in them."""
    return any(not any(directory.iterdir()) for place in _roots(root) for directory in _directories(place, SCHEMAS))


def measured(path: Path, root: Path, schema: int) -> Kept:
    """One key's directory as it is now.

    Args:
        root: of the cache, with every link resolved.
    """
    files: dict[str, os.stat_result] = {}
    foreign = ""
    try:
        used = path.lstat().st_mtime  # of a key without entries
        for one in sorted(os.scandir(path), key=lambda one: one.name):
            try:
                state = one.stat(follow_symlinks=False)
            except FileNotFoundError:  # a temporary file, or a lock's holder
                continue
            if OWN.fullmatch(one.name) and stat.S_ISREG(state.st_mode):
                files[one.name] = state
            else:
                foreign = foreign or f"holds {visible(one.name, 80)}, which is not the cache's"
    except OSError as error:
        foreign, used = f"cannot be read: {error.strerror or error}", 0.0
    times = [state.st_mtime for name, state in files.items() if name.endswith((".safetensors", ".json"))]  # locks are opened by who only looks
    size = sum(state.st_size for state in files.values())
    return Kept(path, path.relative_to(root).as_posix(), schema, tuple(files), size, max(times, default=used), foreign)


def told(one: Kept) -> Told:
    """What the index of a key tells of it, or the manifest of its first entry where it has no index."""
    names = [name.removesuffix(".json") for name in one.files if name.endswith(".json")]
    if not names:
        return Told("no entry")
    name = INDEX if INDEX in names else names[0]
    try:
        fields = read_fields(one.path / f"{name}.json", "manifest", "")
    except InputError:
        return Told("unreadable manifest")
    by, order = fields.get("by"), fields.get("order")
    what = counted(len(order), "block") if name == INDEX and isinstance(order, list) else name
    return Told(what, str(fields.get("made", "")), str(fields.get("code", "")), tuple(map(str, by)) if isinstance(by, list) else ())
