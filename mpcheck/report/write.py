"""A session's files: its records, and what people read of them."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from mpcheck._files.io import write_text
from mpcheck.records.document import Records
from mpcheck.records.document import write_records as write_document
from mpcheck.report.showing import showing


def write_records(directory: Path, document: Records, notes: Sequence[str] = ()) -> list[Path]:
    """Write ``SESSION.json``, ``SESSION.md`` and the session's pictures.

    Args:
        notes: lines that a reader must see beside its records.

    Returns:
        The files.

    Raises:
        InputError: the place cannot be written.
    """
    records, summary = (directory / f"{document.suite}.{suffix}" for suffix in ("json", "md"))
    document.lie_in(directory)
    shown = showing(document)
    text = shown.markdown(document, notes)
    write_document(records, document)
    write_text(summary, text)
    return [records, summary, *shown.pictures(directory, document)]


def write_state(directory: Path, document: Records) -> None:
    """Write ``SESSION.json`` alone: of a run that has begun.

    Raises:
        InputError: the place cannot be written.
    """
    write_document(directory / f"{document.suite}.json", document)
