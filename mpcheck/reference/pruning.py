"""References that are kept no longer: which go, and how they are removed while other processes run. Nothing here imports torch."""

from __future__ import annotations

import contextlib
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path

from mpcheck._files.locks import if_free
from mpcheck.reference.kept import Kept, measured
from mpcheck.reference.layout import GATES, SCHEMA

DAYS = 30.0
"""What has not been used for so long goes where nothing else is asked for."""
DAY = 86400.0


@dataclass(frozen=True)
class Wish:
    """What is to go besides references of other schemas, which nothing reads any more.

    Attributes:
        days: what has not been used for so many. size: what was used longest ago, until so many bytes are left. everything: all.
    """

    days: float | None = None
    size: int | None = None
    everything: bool = False

    def takes(self, one: Kept, now: float, held: int) -> bool:
        """Whether a key goes.

        Args:
            now: seconds since the epoch. held: bytes that the cache holds with it.
        """
        old = self.days is not None and now - one.used >= self.days * DAY
        return one.schema != SCHEMA or self.everything or old or (self.size is not None and held > self.size)


@dataclass
class Pruned:
    """What has become of a cache.

    Attributes:
        gone: keys that were removed, or would be. stayed: keys that ought to have gone, with why they did not. failed: those of them that
            the disk refused. held: bytes that are left.
    """

    gone: list[Kept] = field(default_factory=list)
    stayed: list[tuple[Kept, str]] = field(default_factory=list)
    failed: list[tuple[Kept, str]] = field(default_factory=list)
    held: int = 0

    @property
    def freed(self) -> int:
        """Bytes of what has gone."""
        return sum(one.size for one in self.gone)


def prune(root: Path, every: Sequence[Kept], wish: Wish, now: float, dry: bool = False) -> Pruned:
    """Remove keys, other schemas' first, then those that were used longest ago.

    Args:
        root: of the cache; every: key that it has. dry: look only, and remove nothing.
    """
    done, real = Pruned(held=sum(one.size for one in every)), root.resolve()
    for one in sorted(every, key=lambda one: (one.schema == SCHEMA, one.used, one.name)):
        if not wish.takes(one, now, done.held):
            continue
        try:
            why = one.foreign or remove(one, real, dry)
        except OSError as error:
            done.failed.append((one, error.strerror or str(error)))
            continue
        if why:
            done.stayed.append((one, why))
        else:
            done.gone.append(one)
            done.held -= one.size
    return done


def remove(one: Kept, root: Path, dry: bool = False) -> str:
    """Remove a key whose directory holds nothing but the cache's own files; why it stays, or nothing.

    Manifests go first: what is left if this is interrupted is entries that are missing, which are built anew. So are those that a process
    asks for later.

    Args:
        root: of the cache, with every link resolved.

    Raises:
        OSError: the disk refuses.
    """
    with if_free(one.locks) as free:
        if not free:
            return "another process uses it"
        if measured(one.path, root, one.schema) != one:
            return "it has just been used"
        if dry:
            return ""
        for name in sorted(one.files, key=lambda name: not name.endswith(".json")):
            if not name.endswith(".lock"):
                (one.path / name).unlink(missing_ok=True)
    for lock in one.locks:
        lock.unlink(missing_ok=True)
    with contextlib.suppress(OSError):  # not empty: somebody has begun anew, or has other keys beside it
        for directory in (one.path, *_above(one.path, root)):
            directory.rmdir()
    return ""


def _above(path: Path, root: Path) -> list[Path]:
    """Directories of the cache's own above a key, from below: of its schema and, in a gate's, of what base imports."""
    above = [path.parent]
    return above if path.parent.parent == root else [*above, path.parent.parent, root / GATES]
