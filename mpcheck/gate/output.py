"""A gate's directory: emptied before, read and written after."""

from __future__ import annotations

import shutil
from collections.abc import Callable, Sequence
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING

from mpcheck._errors import InputError, error_line
from mpcheck._files.io import is_file, is_there, read_text, write_text
from mpcheck._text import markdown as escape
from mpcheck._text import seen_lines
from mpcheck.gate import github
from mpcheck.gate.outcome import Outcome
from mpcheck.gate.sessions import written
from mpcheck.history.objections import FILE, write_gate
from mpcheck.records.read import Results, read_results

if TYPE_CHECKING:
    from mpcheck.history.gates import GateEntry

WRITTEN, REPORTS = ("base", "head"), ("report.html", "report.md", "comparison.json", FILE)
MARK = "# Records and reports of an mpcheck gate. The next gate into this directory empties it.\n"
"""Begins the ``.gitignore`` of a directory that is a gate's."""


def emptied(out: Path) -> None:
    """The directory, without an earlier gate's records, which must not be taken for this one's.

    Raises:
        InputError: it cannot be written, or has a `base` or `head` of somebody else's.
    """
    try:
        foreign = [name for name in (*WRITTEN, *REPORTS) if is_there(out / name)] if not _marked(out) else []
        if foreign:
            raise InputError(f"--out {out} has a {foreign[0]} that no gate has written; give another directory")
        for name in WRITTEN:
            if (out / name).is_symlink() or is_file(out / name):
                (out / name).unlink()
            elif is_there(out / name):
                shutil.rmtree(out / name)  # what stays would be taken for this gate's
        for old in REPORTS:
            (out / old).unlink(missing_ok=True)
        if not (out / ".gitignore").exists():
            write_text(out / ".gitignore", f"{MARK}*\n")
    except OSError as error:
        raise InputError(f"--out {out} cannot be written: {error.strerror or error}; give another directory") from error


def _marked(out: Path) -> bool:
    return is_file(out / ".gitignore") and read_text(out / ".gitignore", "file").startswith(MARK)


def read(directory: Path) -> Results | None:
    """Records of a side; None where no session came to a verdict."""
    files = written(directory)
    if not files:
        return None
    results = read_results(files)
    return replace(results, files=[path.relative_to(directory.parent) for path in results.files])  # the report may be read elsewhere


def write(outcome: Outcome, out: Path, history: Sequence[GateEntry], say: Callable[[str], None]) -> None:
    """Reports, and what GitHub reads. The page comes last: the verdict stands whatever becomes of it."""
    text = head_lines(outcome)
    write_gate(out / FILE, outcome.allow, outcome.objections)
    if outcome.comparison is not None:
        from mpcheck.history.comparison_file import write_comparison

        write_comparison(out / "comparison.json", outcome.comparison)
    if outcome.results is not None:
        from mpcheck.report.page import Judgement, summary_markdown

        judged, room = Judgement(outcome.verdict), github.SUMMARY_BYTES - len(text.encode())  # the remarks are above already
        text += summary_markdown(outcome.results, outcome.comparison, history, limit_bytes=room, judgement=judged)
    write_text(out / "report.md", text)
    github.tell(outcome, text)
    if outcome.results is None:
        return
    try:
        from mpcheck.report.page import Judgement, write_report

        judged = Judgement(outcome.verdict, tuple(outcome.remarks))
        write_report(outcome.results, out / "report.html", None, comparison=outcome.comparison, history=history, judgement=judged)
    except InputError:
        raise
    except Exception as error:  # of a library that draws or lays out
        say(f"report.html could not be made: {error_line(error)}")


def head_lines(outcome: Outcome) -> str:
    """What the sessions' own records cannot tell: what was compared, what came to no verdict. Markdown."""
    lines = [f"## Gate: {escape(outcome.headline)}", ""]
    lines += [f"- {escape(remark)}" for remark in outcome.remarks]
    lines += ["", "<details><summary>What was compared</summary>", "", *(f"- {escape(note)}" for note in outcome.notes), "", "</details>", ""]
    return seen_lines("\n".join(lines)) + "\n"
