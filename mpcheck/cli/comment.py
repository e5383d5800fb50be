"""``mpcheck comment``: what a gate found, as the comment on its pull request."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from mpcheck._text import say

if TYPE_CHECKING:
    from mpcheck.report.page import Pinned


def pinned_of(settings: Path | None) -> Pinned:
    """Names that a command in a comment may hold because the gated repository's own settings hold them.

    Args:
        settings: its ``mpcheck.toml`` as its maintainers have merged it, never the pull request's; None for none.

    Raises:
        InputError: no settings.
    """
    from mpcheck.report.page import Pinned

    if settings is None:
        return Pinned()
    from mpcheck.gate.settings import read_settings

    chosen = read_settings(settings.parent, settings, {}, {})
    return Pinned(frozenset([chosen.model]), frozenset(chosen.systems), frozenset(chosen.backends))


def comment(
    directory: Annotated[Path, typer.Argument(help="a gate's output: head/*.json, and base/*.json where there was a base")],
    out: Annotated[Path, typer.Option("--out", help="Markdown file")] = Path("comment.md"),
    history: Annotated[Path | None, typer.Option("--history", help="directory of histories, to say since when something is red")] = None,
    conclusion: Annotated[str, typer.Option("--conclusion", help="how GitHub says that the run ended: success, failure or timed_out")] = "",
    settings: Annotated[
        Path | None, typer.Option("--settings", help="mpcheck.toml of the default branch: commands may name its model, systems and backends")
    ] = None,
) -> None:
    """Write the comment on a pull request from records that are not trusted: strict schemas, size limits, everything escaped.

    Commands to repeat what is red name built-in models and systems, and those of --settings, and no others.
    """
    from mpcheck.report.comment import write_comment

    write_comment(directory, out, history, conclusion, pinned_of(settings))
    say(f"wrote {out}")
