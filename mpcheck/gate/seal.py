"""What the code of head could rewrite on disk is remembered before it runs, and compared at the end.

Nothing here keeps code out that runs as the same user. It makes an alteration of what base left, or of what judges, a red gate.
"""

from __future__ import annotations

import compileall
import contextlib
import shutil
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path

from mpcheck._errors import InputError
from mpcheck._files.io import is_file, sha256_file
from mpcheck._own import own_places
from mpcheck.history.objections import Objection, cut

IMPORTED = frozenset({".py", ".so", ".pyd", ".dylib", ".pth"})
"""Suffixes of what Python takes notice of by itself: a new one is an alteration, other new files are nobody's business."""
CACHE = "__pycache__"
SKIPPED = (".lock",)  # of a cache's locks
LISTED = 20  # altered files that are told of one place


def content(place: Path) -> dict[str, str]:
    """Digests of the files below a directory, by their names; links are told by where they lead."""
    digests = {}
    for path in sorted(place.rglob("*")) if not place.is_symlink() else ():
        name = path.relative_to(place).as_posix()
        if path.is_symlink():
            digests[name] = f"link to {path.readlink()}"
        elif is_file(path) and path.suffix not in SKIPPED:
            with contextlib.suppress(OSError):  # gone meanwhile
                digests[name] = sha256_file(path)
    return digests


@dataclass
class Seal:
    """Contents of directories as they were.

    Attributes:
        places: by name, for people. known: digests by the same names. strict: places in which nothing may be new either.
    """

    places: Mapping[str, Path]
    known: dict[str, dict[str, str]] = field(default_factory=dict)
    strict: frozenset[str] = frozenset()

    @classmethod
    def of(cls, places: Mapping[str, Path], strict: frozenset[str] = frozenset()) -> Seal:
        """Remember directories as they are."""
        return cls(places, {name: content(place) for name, place in places.items()}, strict)

    def broken(self) -> dict[str, list[str]]:
        """By place, what was altered since, is gone, or is new although Python would import it."""
        by_place = {}
        for name, place in self.places.items():
            now, before = content(place), self.known[name]
            altered = [f"{file} is {'gone' if file not in now else 'altered'}" for file, was in before.items() if now.get(file) != was]
            altered += [f"{file} is new" for file in now if file not in before and (name in self.strict or _imported(file))]
            if altered:
                by_place[name] = altered
        return by_place

    def objections(self) -> list[Objection]:
        """One for each altered place."""
        return [
            Objection(kind="altered", what=cut(f"{name}: {', '.join(files[:LISTED])}"), effect="contradicts") for name, files in self.broken().items()
        ]


def _imported(name: str) -> bool:
    path = Path(name)
    return path.suffix in IMPORTED and CACHE not in path.parts


def own_code() -> dict[str, Path]:
    """Directories of this mpcheck, compiled, so that a file of compiled code that comes later is no news of Python's own."""
    places = own_places()
    for place in places[:1]:
        compileall.compile_dir(str(place), quiet=2)
    return {f"mpcheck's own {place.name}": place for place in places}


@dataclass
class Kept:
    """Files of a directory in memory.

    Attributes:
        directory: where they lay. files: by name.
    """

    directory: Path
    files: dict[str, bytes]

    @classmethod
    def of(cls, directory: Path) -> Kept:
        """Read every file below a directory; of one that is not there none."""
        return cls(directory, {p.relative_to(directory).as_posix(): p.read_bytes() for p in sorted(directory.rglob("*")) if is_file(p)})

    def restored(self) -> list[Objection]:
        """Write them anew as they were, whatever has become of the directory; what had changed is told.

        Raises:
            InputError: the directory cannot be written any more.
        """
        now = content(self.directory)
        altered = sorted(name for name in {*now, *self.files} if name not in now or self._differs(name))
        if not altered:
            return []
        try:
            self._write()
        except OSError as error:
            why = f"{error.strerror or error}, after the code of head had altered them"
            raise InputError(f"records {self.directory} cannot be written: {why}; give another --out") from error
        what = f"records of {self.directory.name}, which are written here as they were: {', '.join(altered[:LISTED])}"
        return [Objection(kind="altered", what=cut(what), effect="contradicts")]

    def _write(self) -> None:
        if self.directory.is_symlink() or is_file(self.directory):
            self.directory.unlink()
        else:
            shutil.rmtree(self.directory, ignore_errors=True)
        for name, data in self.files.items():
            (self.directory / name).parent.mkdir(parents=True, exist_ok=True)
            (self.directory / name).write_bytes(data)

    def _differs(self, name: str) -> bool:
        path = self.directory / name
        return path.is_symlink() or not is_file(path) or name not in self.files or path.read_bytes() != self.files[name]
