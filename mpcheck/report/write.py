"""A session's files: its records, and what people read of them."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from mpcheck._files.io import write_text
from mpcheck._names import PRECISION
from mpcheck.records.document import Records
from mpcheck.records.document import write_records as write_document
from mpcheck.report import bench
from mpcheck.report import findings as findings_report
from mpcheck.report.markdown import render


def write_records(directory: Path, document: Records, notes: Sequence[str] = ()) -> list[Path]:
    """Write ``SESSION.json`` and ``SESSION.md``, and of the precision session its picture.

    Args:
        notes: of a bench session: lines that a reader must see beside its findings.

    Returns:
        The files.

    Raises:
        InputError: the place cannot be written.
    """
    records, summary = (directory / f"{document.suite}.{suffix}" for suffix in ("json", "md"))
    text = _markdown(document, notes)
    write_document(records, document)
    write_text(summary, text)
    if not document.of(PRECISION):  # another session, or a run that was stopped before its first record
        return [records, summary]
    from mpcheck.report.pictures.sessions import write_precision_picture

    picture = directory / "precision.svg"
    write_precision_picture(picture, document)
    return [records, summary, picture]


def write_state(directory: Path, document: Records) -> None:
    """Write ``SESSION.json`` alone: of a run that has begun.

    Raises:
        InputError: the place cannot be written.
    """
    write_document(directory / f"{document.suite}.json", document)


def _markdown(document: Records, notes: Sequence[str]) -> str:
    if document.suite == PRECISION:
        return render(document)
    return bench.markdown(document, notes) if document.suite == "bench" else findings_report.markdown(document)
