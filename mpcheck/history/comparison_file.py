"""A comparison as a file, for reports and comments: strict, because it may come from somebody else's run."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Literal

from pydantic import Field

from mpcheck._files.documents import DocumentKind, write_document
from mpcheck._files.yaml import Strict
from mpcheck.history.compare import Change, Comparison, Kind
from mpcheck.records.items import Item
from mpcheck.records.tensors import Number

REMEDY = "make it anew with `mpcheck compare --json`"
Text = Annotated[str, Field(max_length=100_000)]
Count = Annotated[int, Field(ge=0)]


class ItemRow(Strict):
    """An :class:`mpcheck.records.items.Item`, field by field."""

    session: Text
    check: Text
    subject: Text
    backend: Text
    format: Text
    system: Text
    variant: Text
    verdict: Text
    reason: Text
    ratio: Number
    limit: Number
    worst: Text
    seconds: float
    depth: int
    tolerated: Text = ""
    batch: int | None = None


class ChangeRow(Strict):
    """A :class:`mpcheck.history.compare.Change`, field by field."""

    kind: Kind
    item: Text
    before: ItemRow | None
    after: ItemRow | None
    detail: Text
    slight: bool = False

    def change(self) -> Change:
        """As comparisons have it."""
        before, after = (None if row is None else Item(**dict(row)) for row in (self.before, self.after))
        return Change(self.kind, self.item, before, after, self.detail, self.slight)


class ComparisonDocument(Strict):
    """A :class:`mpcheck.history.compare.Comparison`, field by field."""

    schema_version: Literal[1] = 1
    suite: Literal["comparison"] = "comparison"
    base: Text
    head: Text
    identical: Count
    within: Count
    still: list[Text]
    notes: list[Text]
    broken: list[Text] = []
    changes: list[ChangeRow]


FIELDS = ("base", "head", "identical", "within", "still", "notes", "broken")
KIND = DocumentKind(ComparisonDocument, "comparison", 1, REMEDY, "comparison")


def write_comparison(path: Path, comparison: Comparison) -> None:
    """Write a comparison atomically, one change a line."""
    fields = {name: getattr(comparison, name) for name in FIELDS}
    write_document(path, ComparisonDocument(changes=[_row(change) for change in comparison.changes], **fields), "changes")


def _row(change: Change) -> ChangeRow:
    """A change without its records: they lie in files of their own."""
    before, after = (
        None if item is None else ItemRow(**{name: getattr(item, name) for name in ItemRow.model_fields}) for item in (change.before, change.after)
    )
    return ChangeRow(kind=change.kind, item=change.item, before=before, after=after, detail=change.detail, slight=change.slight)


def read_comparison(path: Path) -> Comparison:
    """Read what :func:`write_comparison` wrote.

    Raises:
        InputError: missing, more than 64 MiB, no JSON, another kind of file or schema version, a wrong field, which is named.
    """
    document = KIND.read(path)
    fields = {name: getattr(document, name) for name in FIELDS}
    return Comparison(changes=[row.change() for row in document.changes], **fields)
