"""Reading back what sessions wrote: any number of records, recognised by their content, belonging together."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from functools import cached_property
from pathlib import Path

from mpcheck._errors import InputError
from mpcheck.records.accounts import disorder
from mpcheck.records.document import Records, parsed, records_of
from mpcheck.records.items import Item, items_of
from mpcheck.records.limits import OWN, Limits, within
from mpcheck.records.merge import merge
from mpcheck.records.outcome import WORDS, Outcome, combined
from mpcheck.sessions.registry import get, sessions

COMPANIONS = ("pytest-benchmark.json", "bench-figures.json")
"""JSON that sessions write beside their records and that ``reports/*.json`` therefore names too."""


@dataclass(frozen=True)
class Results:
    """Records of one model on one device, one document a session.

    Attributes:
        documents: by session, in the order of :func:`mpcheck.sessions.registry.sessions`.
        files: that they were read from.
        passed_over: files beside them that hold no records.
    """

    documents: dict[str, Records]
    files: list[Path] = field(default_factory=list)
    passed_over: list[Path] = field(default_factory=list)

    @cached_property
    def items(self) -> list[Item]:
        """Every conclusion of every session."""
        return [item for document in self.documents.values() for item in items_of(document)]

    @cached_property
    def failures(self) -> list[Item]:
        """Red ones: those that name a block first, innermost first, then by how far beyond the limit they are."""
        return sorted((i for i in self.items if i.failed), key=lambda i: (i.depth, -i.share, i.id))

    def of_check(self, check: str) -> Records | None:
        """The records of the session that a check belongs to; of several sessions that have it, the first."""
        return next((document for name, document in self.documents.items() if check in get(name).checks), None)

    @property
    def first(self) -> Records:
        """A document whose head speaks for all: model, environment."""
        return next(iter(self.documents.values()))

    @cached_property
    def outcome(self) -> Outcome:
        """The worst of its sessions' outcomes."""
        return combined(self.documents.values())

    @property
    def verdict(self) -> str:
        """The outcome in the word that people read."""
        return WORDS[self.outcome]

    @cached_property
    def disorder(self) -> list[str]:
        """Why records are not whole, a line each, with the session's name."""
        return [f"{name}: {line}" for name, document in self.documents.items() for line in disorder(document)]


def _candidates(paths: Sequence[Path]) -> Iterator[Path]:
    """Files, and of directories the sessions' records in them and one level below.

    Raises:
        InputError: a path that is not there, or a directory without records.
    """
    for path in paths:
        if not path.is_dir():
            yield path
            continue
        names = [f"{session}.json" for session in sessions()]
        files = [path / name for name in names if (path / name).is_file()] or [p for name in names for p in sorted(path.glob(f"*/{name}"))]
        if not files:
            raise InputError(f"no records in {path}; expected one of {', '.join(names)}, as sessions write them with --out or --mp-out")
        yield from files


def files_named(paths: Sequence[Path]) -> list[Path]:
    """The files that :func:`read_results` would read.

    Raises:
        InputError: a directory without records.
    """
    return list(dict.fromkeys(_candidates(paths)))


def read_document(path: Path, limits: Limits = OWN) -> Records | None:
    """One session's records; None for JSON that sessions write beside them.

    Raises:
        InputError: missing, too large, truncated, no JSON, another schema version, wrong fields, or records of nothing we know.
    """
    data = parsed(path, limits.file_bytes)
    if path.name in COMPANIONS or ("suite" not in data and "benchmarks" in data) or ("provenance" in data and "device" in data):
        return None
    if (suite := data.get("suite")) not in sessions():
        raise InputError(f"records {path}: field suite is {suite!r}, expected one of {', '.join(sessions())}; this is another kind of file")
    within(data, path, limits)
    return records_of(data, path)


def read_results(paths: Sequence[Path], limits: Limits = OWN) -> Results:
    """Records of several sessions, of one model on one device. Parts of one session (``--mp-shard``) are put together.

    Args:
        paths: files, or directories of records.
        limits: of what is read; tighter ones where records come from somebody else.

    Raises:
        InputError: see :func:`read_document`; nothing to read; sessions of different models or devices, which are named.
    """
    parts: dict[str, list[tuple[Path, Records]]] = {}
    passed_over: list[Path] = []
    for path in files_named(paths):
        document = read_document(path, limits)
        if document is None:
            passed_over.append(path)
        else:
            parts.setdefault(document.suite, []).append((path, document))
    if not parts:
        raise InputError("no records to read: " + (", ".join(map(str, passed_over)) or "no file was named") + "; name reports of sessions")
    flat = [pair for session in sessions() for pair in parts.get(session, [])]
    same_model_and_device(flat)
    return Results({s: merge(parts[s]) for s in sessions() if s in parts}, [path for path, _ in flat], passed_over)


def same_model_and_device(documents: Sequence[tuple[Path, Records]]) -> None:
    """Refuse to speak of several models or machines as if they were one.

    Raises:
        InputError: the first two that differ, and in what.
    """
    (first_path, first), *rest = documents
    for path, other in rest:
        for what, ours, theirs in (
            ("model", first.model.digest, other.model.digest),
            ("device", first.environment.device_slug, other.environment.device_slug),
        ):
            if ours != theirs:
                names = (first.model.name, other.model.name) if what == "model" else (ours, theirs)
                raise InputError(f"{first_path} and {path} are of different {what}s ({names[0]} and {names[1]}); give records of one {what}")
