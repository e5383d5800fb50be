"""``mpcheck compare``: base against head of the same sessions."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from mpcheck._text import say_lines

Records = "a records file, or a directory of records of any sessions"


def compare(
    base: Annotated[Path, typer.Argument(help=Records)],
    head: Annotated[Path, typer.Argument(help=Records)],
    limit: Annotated[int, typer.Option("--limit", help="rows to print, and to write into the Markdown", min=0)] = 40,
    markdown: Annotated[Path | None, typer.Option("--markdown", help="write the table as Markdown")] = None,
    json: Annotated[Path | None, typer.Option("--json", help="write every change, for reports and comments")] = None,
) -> None:
    """Tell what changed between two runs, worst first.

    Exit 1 where something newly fails, a rounding ratio moved beyond its noise, or something is gone. Latency and the other sessions'
    figures are told of; their own verdicts decide.
    """
    from mpcheck._files.io import write_text
    from mpcheck._files.kinds import COMPARISON, MARKDOWN
    from mpcheck._files.outputs import Output, refuse_outputs
    from mpcheck.history.compare import compare as compared
    from mpcheck.history.comparison_file import write_comparison
    from mpcheck.records.read import files_named, read_results
    from mpcheck.report.compare import markdown as written
    from mpcheck.report.compare import render

    refuse_outputs([Output(markdown, MARKDOWN, "--markdown"), Output(json, COMPARISON, "--json")], files_named([base, head]))
    comparison = compared(read_results([base]), read_results([head]))
    if json is not None:
        write_comparison(json, comparison)
    if markdown is not None:
        write_text(markdown, written(comparison, limit))
    say_lines(render(comparison, limit))
    raise typer.Exit(1 if comparison.failed else 0)
