"""``mpcheck merge``: the parts of a sharded run, put together."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from mpcheck._text import say


def merge(
    parts: Annotated[list[Path], typer.Argument(help="records of every part: files, or directories of them")],
    out: Annotated[Path, typer.Option("--out", help="directory of the merged records and their reports")],
) -> None:
    """Put the parts of sessions run with --shard together, one records file a session. Exits as the whole session would.

    Parts of different models, devices, seeds, versions or options are refused, and so are parts that are missing or there twice.
    """
    from mpcheck._files.outputs import refuse_directory, refuse_outputs
    from mpcheck.records.outcome import STATUS, WORDS, judged, outcome
    from mpcheck.records.read import read_results
    from mpcheck.report.write import write_records
    from mpcheck.sessions.registry import get

    results = read_results(parts)
    refuse_directory(out, "--out")
    refuse_outputs([output for session in results.documents for output in get(session).outputs(out)], [*results.files, *results.passed_over])
    for session, document in results.documents.items():
        verdict = WORDS[outcome(document)]
        count = sum(path.name == f"{session}.json" for path in results.files)
        say(f"{session}: {verdict}, {judged(document)} judged" + (f", from {count} files" if count > 1 else ""))
        for path in write_records(out, document):
            say(f"wrote {path}")
    for line in results.disorder:
        say(line)
    raise typer.Exit(STATUS[results.outcome])
