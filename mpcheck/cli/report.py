"""``mpcheck report``: what sessions found, as one HTML page and as Markdown."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from mpcheck._errors import InputError
from mpcheck._text import say

if TYPE_CHECKING:
    from mpcheck.history.gates import GateEntry
    from mpcheck.records.read import Results

Paths = Annotated[list[Path], typer.Argument(help="records of sessions of one model on one device, or directories of them")]


def report(
    paths: Paths,
    html: Annotated[Path | None, typer.Option("--html", help="one self-contained page")] = None,
    markdown: Annotated[Path | None, typer.Option("--markdown", help="the same as Markdown, below 900 kB")] = None,
    summary: Annotated[Path | None, typer.Option("--summary", help="file to append the Markdown to, as $GITHUB_STEP_SUMMARY")] = None,
    pictures: Annotated[Path | None, typer.Option("--pictures", help="directory for the pictures as SVG files")] = None,
    base: Annotated[list[Path] | None, typer.Option("--base", help="records of the base to compare with; repeat for several")] = None,
    history: Annotated[Path | None, typer.Option("--history", help="directory of the gate's history")] = None,
    title: Annotated[str, typer.Option("--title", help="first words of the report")] = "mpcheck",
    check: Annotated[bool, typer.Option("--check", help="exit 1 where something is red, 2 where nothing was judged")] = False,
) -> None:
    """Report everything that sessions found: verdict first, then what is red, where, how much, since when and how to repeat it."""
    from mpcheck._files.io import append_text
    from mpcheck._files.kinds import HTML, MARKDOWN
    from mpcheck._files.outputs import Output, refuse_directory, refuse_outputs
    from mpcheck.records.outcome import STATUS
    from mpcheck.records.read import files_named, read_results
    from mpcheck.report.page import summary_markdown, write_report

    if not any((html, markdown, summary, pictures)):
        raise InputError("nothing to write: give --html FILE, --markdown FILE, --summary FILE or --pictures DIR")
    told = list(history.glob("*/*.jsonl")) if history is not None else []
    outputs = [Output(html, HTML, "--html"), Output(markdown, MARKDOWN, "--markdown"), Output(summary, MARKDOWN, "--summary")]
    refuse_outputs(outputs, [*files_named(paths), *files_named(base or []), *told])
    refuse_directory(pictures, "--pictures")
    results, bases = read_results(paths), read_results(base) if base else None
    entries = entries_of(history, results) if history is not None else []
    comparison = None
    if bases is not None:
        from mpcheck.history.compare import compare

        comparison = compare(bases, results)
    write_report(results, html, markdown, comparison, entries, title, pictures)
    if summary is not None:
        append_text(summary, summary_markdown(results, comparison, entries, title=title), "--summary")
    written = [str(path) for path in (html, markdown, summary, pictures) if path is not None]
    say(f"{results.verdict}: wrote {', '.join(written)}")
    for line in results.disorder:
        say(line)
    raise typer.Exit(STATUS[results.outcome] if check else 0)


def entries_of(directory: Path, results: Results) -> list[GateEntry]:
    """The gate's history of the records' device; damaged lines, and a history that is not there, are told on standard error.

    Raises:
        InputError: no such directory.
    """
    from mpcheck.history.gates import gate_history_path, read_gate_history

    if not directory.is_dir():
        raise InputError(f"--history {directory} is no directory; `mpcheck history record` begins one")
    slug = str(results.first.environment.device_slug)
    path = gate_history_path(directory, slug)
    if not path.is_file():
        say(f"warning: no history of {slug!r} in {directory}", error=True)
        return []
    history = read_gate_history(path)
    for line in history.damaged:
        say(f"warning: {line}", error=True)
    return list(history.entries)
