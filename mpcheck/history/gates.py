"""The history of a device's gates: an entry a judged commit, one line each, only ever appended to."""

from __future__ import annotations

import json
import re
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated, Any, Literal, get_args

from pydantic import Field

from mpcheck._errors import InputError
from mpcheck._files.documents import DocumentKind
from mpcheck._files.io import digest
from mpcheck._files.lines import REMEDY, append_line, read_lines
from mpcheck._files.stored import Model, Stamp, now
from mpcheck._names import PRECISION
from mpcheck.records.document import Records
from mpcheck.records.outcome import WORDS, outcome
from mpcheck.records.read import Results
from mpcheck.records.same import UNKNOWN, commit_of
from mpcheck.records.shards import ROWS, SHARD

SUITE = "gate-history"
WHAT = "gate history"
Kind = Literal["run", "gate", "nightly"]
KINDS: tuple[Kind, ...] = get_args(Kind)
Text = Annotated[str, Field(max_length=2000)]
Share = Annotated[float, Field(ge=0)]
ELSEWHERE = ("cache", SHARD, ROWS)
"""Options that do not change what is judged."""


class GateEntry(Stamp):
    """What the sessions said of one commit.

    Attributes:
        kind: of run: by hand, of a pull request, or a nightly one.
        device: its slug; packages: versions by name.
        options: digest of what was asked for, so that like is compared with like.
        verdicts: the outcome by session, in the word that people read.
        red: ids of what failed.
        ratios: by ``BLOCK|BACKEND|FORMAT``, the worst rounding ratio of any tensor in units of its limit; without those that are not finite.
    """

    schema_version: Literal[1] = 1
    suite: Literal["gate-history"] = "gate-history"
    kind: Kind = "run"
    mpcheck: Text
    device: Text
    model: Model
    options: Text = ""
    packages: dict[Text, Text]
    verdicts: dict[Text, Text]
    red: list[Text]
    ratios: dict[Text, Share]

    @property
    def work(self) -> tuple[str, str]:
        """What was judged, whatever the commit: model and options."""
        return self.model.digest, self.options

    @property
    def identity(self) -> tuple[object, ...]:
        """What makes another record of it a repetition. A commit that is not known is told apart by its time."""
        return self.commit, self.date if self.commit == UNKNOWN else "", self.kind, self.work, tuple(sorted(self.verdicts))


@dataclass(frozen=True)
class GateHistory:
    """A device's gates as they are in the file.

    Attributes:
        damaged: what is no entry, each with its line's number and the remedy. The others are read.
    """

    entries: list[GateEntry]
    damaged: list[str]


KIND = DocumentKind(GateEntry, WHAT, 1, REMEDY, SUITE)


def gate_history_path(directory: Path, slug: str) -> Path:
    """``<directory>/<slug>/gate-history.jsonl``.

    Raises:
        InputError: a slug that is no plain directory name: records may come from anybody.
    """
    if not re.fullmatch(r"[A-Za-z0-9][A-Za-z0-9._-]{0,199}", slug):
        raise InputError(f"field environment.device_slug: {slug[:80]!r} is no name of a directory; run the session again")
    return directory / slug / "gate-history.jsonl"


def read_gate_history(path: Path) -> GateHistory:
    """All entries; none where there is no file.

    A line that is no entry is told of, not refused: others write the branch that histories come from, and one bad line must not stop
    every later gate.

    Raises:
        InputError: not a file, more than 64 MiB, not UTF-8.
    """
    lines, damaged = read_lines(path, WHAT)
    entries = []
    for where, data in lines:
        try:
            entries.append(KIND.check(data, where))
        except InputError as error:
            damaged.append(f"{error}; it is passed over")
    return GateHistory(entries, damaged)


def entry_of(results: Results, kind: Kind = "run") -> GateEntry:
    """The entry of what was read. Records that do not say their date count as of now.

    Raises:
        InputError: records without a single row; a date that is none.
    """
    if not results.items:
        raise InputError(
            f"records {', '.join(map(str, results.files)) or 'in memory'}: nothing in them, so nothing to record; run the sessions again"
        )
    first = results.first
    date = first.environment.date or UNKNOWN
    try:
        return GateEntry(
            commit=commit_of(first), date=now() if date == UNKNOWN else str(date), kind=kind, mpcheck=first.mpcheck,
            device=first.environment.device_slug, model=Model(name=first.model.name, digest=first.model.digest),
            options=_options(results), packages=first.environment.packages,
            verdicts={session: WORDS[outcome(document)] for session, document in results.documents.items()},
            red=[item.id for item in results.failures], ratios=worst_shares(results.of_check(PRECISION)),
        )  # fmt: skip
    except ValueError as error:
        reason = str(error).splitlines()[-2 if len(str(error).splitlines()) > 2 else -1].strip()
        raise InputError(f"records {results.files[0] if results.files else 'in memory'}: {reason}; run the session again") from error


def _options(results: Results) -> str:
    asked: dict[str, Any] = {
        session: {k: v for k, v in document.options.items() if k not in ELSEWHERE} | {"systems": [s.digest or None for s in document.systems]}
        for session, document in results.documents.items()
    }
    return digest(json.dumps(asked, sort_keys=True))[:16]


def worst_shares(run: Records | None) -> dict[str, float]:
    """Of every block, backend and format, the largest share of its limit that any tensor of any system and direction has."""
    worst: dict[str, float] = {}
    for cell in run.of(PRECISION) if run is not None else ():
        shares = [q.rms / q.rms_limit for q in cell.quantities if q.rms is not None and q.rms_limit]
        if shares:
            name = f"{cell.subject}|{cell.backend}|{cell.format}"
            worst[name] = max(worst.get(name, 0.0), float(f"{max(shares):.5g}"))
    return worst


def append_gate(path: Path, entry: GateEntry) -> bool:
    """Add an entry, unless the same work of the same commit has one.

    Returns:
        Whether it was added.

    Raises:
        InputError: the place cannot be written, is full, or is locked; see :func:`read_gate_history`.
    """
    return append_line(path, entry, WHAT, lambda: any(known.identity == entry.identity for known in read_gate_history(path).entries))


def in_time(entries: Iterable[GateEntry]) -> list[GateEntry]:
    """Oldest first: several machines' entries come together by merges, in any order."""
    return sorted(entries, key=lambda entry: entry.time)


def since(entries: Sequence[GateEntry], item_id: str) -> GateEntry | None:
    """The first entry of the unbroken run of entries, ending at the last, in which something is red; None where it is not red now.

    Entries of other models or options, or without the session, say nothing of it and are passed over.

    Args:
        entries: of one device, oldest first.
        item_id: see :attr:`mpcheck.records.items.Item.id`.
    """
    session = item_id.partition("/")[0]
    told = [entry for entry in entries if session in entry.verdicts]
    first = None
    for entry in reversed([entry for entry in told if entry.work == told[-1].work]):
        if item_id not in entry.red:
            break
        first = entry
    return first
