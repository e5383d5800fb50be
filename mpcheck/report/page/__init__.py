"""The report that people read: one HTML page of everything that sessions found, and its Markdown twin."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from mpcheck._files.io import write_text
from mpcheck.records.read import Results
from mpcheck.report.page.as_markdown import twin
from mpcheck.report.page.pinned import Pinned
from mpcheck.report.page.view import TITLE, Judgement, page_of

if TYPE_CHECKING:
    from mpcheck.history.compare import Comparison
    from mpcheck.history.gates import GateEntry
    from mpcheck.report.pictures import Picture

MARKDOWN_BYTES = 900_000
"""GitHub takes job summaries of 1 MiB."""


def write_report(
    results: Results,
    html: Path | None,
    markdown: Path | None,
    comparison: Comparison | None = None,
    history: Sequence[GateEntry] = (),
    title: str = TITLE,
    pictures: Path | None = None,
    judgement: Judgement | None = None,
) -> None:
    """Write the report, each file atomically.

    Args:
        html: one self-contained page; None for none.
        markdown: its twin, below 900 kB; None for none.
        comparison: with the base; history: of this device, oldest entry first.
        pictures: a directory for the page's pictures as SVG files of their own.
        judgement: of the gate whose sessions these are.

    Raises:
        InputError: the records hold no conclusion, or a file cannot be written.
    """
    page = page_of(results, comparison, history, title, judgement)
    if html is not None or pictures is not None:
        drawn, note = _drawn(results, history)
        if html is not None:
            from mpcheck.report.page.as_html import html_page

            write_text(html, html_page(page, results, drawn, note))
        if pictures is not None:
            from mpcheck.report.pictures import write_pictures

            write_pictures(pictures, drawn)
    if markdown is not None:
        write_text(markdown, twin(page, MARKDOWN_BYTES))


def summary_markdown(
    results: Results,
    comparison: Comparison | None = None,
    history: Sequence[GateEntry] = (),
    limit_bytes: int = MARKDOWN_BYTES,
    title: str = TITLE,
    judgement: Judgement | None = None,
    pinned: Pinned | None = None,
) -> str:
    """The Markdown twin as text of at most ``limit_bytes``; everything that came from data is escaped in it.

    Args:
        pinned: names that commands may hold, where the records are somebody else's; None for any.

    Raises:
        InputError: the records hold no conclusion.
    """
    return twin(page_of(results, comparison, history, title, judgement, pinned), limit_bytes)


def _drawn(results: Results, history: Sequence[GateEntry]) -> tuple[list[Picture], str]:
    """Pictures, or none and the reason where matplotlib is not installed: the tables say the same."""
    try:
        from mpcheck.report.pictures import pictures

        return pictures(results, history), ""
    except ModuleNotFoundError as error:
        if (error.name or "").partition(".")[0] != "matplotlib":
            raise
        return [], "This page has no pictures, because matplotlib is not installed where it was made; the tables say the same."


__all__ = ["MARKDOWN_BYTES", "Judgement", "Pinned", "summary_markdown", "write_report"]
