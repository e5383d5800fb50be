"""``mpcheck comment``: what a gate found, as the comment on its pull request."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer


def comment(
    directory: Annotated[Path, typer.Argument(help="a gate's output: head/*.json, and base/*.json where there was a base")],
    out: Annotated[Path, typer.Option("--out", help="Markdown file")] = Path("comment.md"),
    history: Annotated[Path | None, typer.Option("--history", help="directory of histories, to say since when something is red")] = None,
    conclusion: Annotated[str, typer.Option("--conclusion", help="how GitHub says that the run ended: success, failure or timed_out")] = "",
) -> None:
    """Write the comment on a pull request from records that are not trusted: strict schemas, size limits, everything escaped."""
    from mpcheck.report.comment import write_comment

    write_comment(directory, out, history, conclusion)
    typer.echo(f"wrote {out}")
