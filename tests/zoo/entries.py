"""What the zoo runs: models of the table, models that upstream's trainer made, models that older releases saved."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from fnmatch import fnmatchcase
from pathlib import Path

from mpcheck._errors import InputError
from tests.zoo import models, structures, trained
from tests.zoo.design import pairing


@dataclass(frozen=True)
class Entry:
    """One model and what it runs on.

    Attributes:
        structures: of :data:`tests.zoo.structures.STRUCTURES`.
        backends: that judge it.
        refused: why mpcheck takes no such model, and must say so; empty of all others.
        lacking: the package without which it cannot be built; empty where it can.
        file: that holds it already; None where it is made first.
    """

    id: str
    structures: tuple[str, ...]
    backends: tuple[str, ...] = ("e3nn",)
    refused: str = ""
    lacking: str = ""
    smoke: bool = False
    file: Path | None = None

    def model(self, directory: Path) -> Path:
        """Its file, made in a directory where there is none yet."""
        if self.file is not None:
            return self.file
        return trained.save(self.id, directory) if self.id in trained.MODELS else models.save(self.id, directory)


def standard() -> list[Entry]:
    """Every model of the table and every trained one, each with its structures."""
    rows = models.table()
    lacking = {name: models.lacking(row) for name, row in rows.items()}
    elements = {name: row["elements"] for name, row in rows.items() if not lacking[name]} | {n: t.elements for n, t in trained.MODELS.items()}
    pairs = pairing(elements, structures.elements())
    entries = [
        Entry(
            name, tuple(pairs.get(name, ())), tuple(row["backends"]), row.get("refused", ""), lacking[name], row.get("smoke", False),
        )
        for name, row in rows.items()
    ]  # fmt: skip
    return entries + [Entry(name, tuple(pairs[name])) for name in trained.MODELS]


def chosen(entries: Sequence[Entry], patterns: Sequence[str], smoke: bool) -> list[Entry]:
    """Those that any of the patterns names; of a smoke run a few, on their first structure.

    Raises:
        InputError: a pattern that names none.
    """
    for pattern in patterns:
        if not any(fnmatchcase(entry.id, pattern) for entry in entries):
            raise InputError(f"no model of the zoo matches {pattern!r}; tests/zoo/models.yaml lists them, e.g. {entries[0].id}")
    kept = [entry for entry in entries if not patterns or any(fnmatchcase(entry.id, p) for p in patterns)]
    return [replace(entry, structures=entry.structures[:1]) for entry in kept if entry.smoke or patterns] if smoke else kept


def older(directory: Path, patterns: Sequence[str] = ()) -> tuple[list[Entry], dict[str, str]]:
    """Models that older releases of upstream save, and by release why there are none of it.

    Args:
        patterns: of models, as glob patterns; releases of which none is named are not fetched. None: all.
    """
    from mpcheck.adapters.load import load_model
    from tests.zoo.older import BACKENDS, NAMES, RELEASES, make

    entries: list[Entry] = []
    failed: dict[str, str] = {}
    fitting = structures.elements()
    for release in RELEASES:
        if patterns and not any(fnmatchcase(f"older-{release}-{name}", p) for name in NAMES for p in patterns):
            continue
        try:
            for path in make(release, directory):
                has = set(load_model(str(path)).elements)
                fits = [name for name, found in fitting.items() if set(found) <= has]
                backends = BACKENDS.get(path.stem.removeprefix(f"{release}-"), ("e3nn",))
                entries.append(Entry(f"older-{path.stem}", tuple(fits[:2]), backends, file=path))
        except Exception as error:  # a release that cannot be fetched, a model that today's upstream cannot read: both are news
            failed[f"older-{release}"] = f"{type(error).__name__}: {error}"
    return entries, failed
