"""A session's files: its records, and what people read of them."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from mpcheck._errors import InputError
from mpcheck._files.io import write_text
from mpcheck.records.finding import Findings, write_findings
from mpcheck.records.record import Run, write_run
from mpcheck.report import bench
from mpcheck.report import findings as findings_report
from mpcheck.report.markdown import render


def write_records(directory: Path, document: Run | Findings, notes: Sequence[str] = ()) -> list[Path]:
    """Write ``SESSION.json`` and ``SESSION.md``, and of the precision session its picture.

    Args:
        notes: of a bench session: lines that a reader must see beside its findings.

    Returns:
        The files.

    Raises:
        InputError: the place cannot be written; the records lack a field, which is named.
    """
    records, summary = (directory / f"{document.suite}.{suffix}" for suffix in ("json", "md"))
    text = _markdown(document, notes)  # first: nothing is written of records that cannot be told
    if isinstance(document, Findings):
        write_findings(records, document)
        write_text(summary, text)
        return [records, summary]
    from mpcheck.report.pictures.sessions import write_precision_picture

    write_run(records, document)
    write_text(summary, text)
    if not document.cells:  # a run that was stopped before its first record
        return [records, summary]
    picture = directory / "precision.svg"
    write_precision_picture(picture, document)
    return [records, summary, picture]


def write_state(directory: Path, document: Run | Findings) -> None:
    """Write ``SESSION.json`` alone: of a run that has begun.

    Raises:
        InputError: the place cannot be written.
    """
    path = directory / f"{document.suite}.json"
    if isinstance(document, Findings):
        write_findings(path, document)
    else:
        write_run(path, document)


def _markdown(document: Run | Findings, notes: Sequence[str]) -> str:
    try:
        if isinstance(document, Run):
            return render(document)
        return bench.markdown(document, notes) if document.suite == "bench" else findings_report.markdown(document)
    except KeyError as error:  # of what has no schema of its own: environment, systems, golden values
        raise InputError(f"records of the {document.suite} session: field {error} is missing; run the session again") from error
