"""A gate from settings to files and exit status."""

from __future__ import annotations

import shutil
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING

from mpcheck._errors import InputError, error_line
from mpcheck._io import is_file, is_there, read_bytes, read_text, write_text
from mpcheck.gate import github
from mpcheck.gate.environments import Side
from mpcheck.gate.outcome import Outcome, Place
from mpcheck.gate.sessions import run_sessions, written
from mpcheck.gate.settings import GateSettings
from mpcheck.gate.sides import Sides, made, probe
from mpcheck.gate.trees import check_files, trees
from mpcheck.results.read import Results, read_results

if TYPE_CHECKING:
    from collections.abc import Sequence

    from mpcheck.results.compare import Comparison
    from mpcheck.results.gate_history import GateEntry

WRITTEN, REPORTS = ("base", "head"), ("report.html", "report.md", "comparison.json")
MARK = "# Records and reports of an mpcheck gate. The next gate into this directory empties it.\n"
"""Begins the ``.gitignore`` of a directory that is a gate's."""


def gate(root: Path, settings: GateSettings, out: Path, cache: Path, say: Callable[[str], None]) -> Outcome:
    """Run a gate and write its records and reports to ``out``.

    Args:
        root: of the repository. cache: of references. say: takes lines of progress.

    Raises:
        InputError: bad input of any kind; nothing of an earlier gate is lost unless a new one can begin.
    """
    with trees(root, settings.base) as (base, head):
        notes = check_files(base, head, settings.model, settings.systems)
        if base is not None and not settings.commands and not (base.packages or head.packages):
            notes.append(f"base {base.commit} is left out: with no Python package in the repository and no `install`, it would run the same code")
            base = None
        if settings.baselines and not (head.root / settings.baselines).is_dir():
            raise InputError(f"baselines {settings.baselines} is no directory in {head.root}; mend the name, or make them with `mpcheck init`")
        _emptied(out)
        with made(base, head, settings, out, say) as sides:
            for line in (*notes, *sides.lines):
                say(line)
            crashes = run_sessions(sides, settings, out, cache, say)
            results, before = _read(out / "head"), _read(out / "base")
            outcome = Outcome(
                base.commit if base is not None else "", head.commit, results, before, crashes=crashes, notes=[*notes, *sides.lines],
                only_new=settings.only_new,
            )  # fmt: skip
            if outcome.failures:
                outcome.places.update(_places(sides, settings.model))
    if results is not None and before is not None:
        outcome.comparison = _compared(before, results, outcome)
    _write(outcome, out, _history(head.root, settings, results), say)
    return outcome


def _emptied(out: Path) -> None:
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


def _read(directory: Path) -> Results | None:
    found = written(directory)
    if not found:
        return None
    results = read_results(found)
    return replace(results, files=[path.relative_to(directory.parent) for path in results.files])  # the report may be read elsewhere


def _places(sides: Sides, model: str) -> dict[str, Place]:
    """Classes of the model's submodules whose files are in the repository, with their lines there."""
    found, _ = probe(sides.head, {"model": model}, sides.head.tree.root, sides.temporary)
    places = {}
    for name, facts in found.items():
        file = _in_repository(Path(facts["file"]), sides.head)
        if file is not None:
            places[name] = Place(str(facts["class"]), file, int(facts["line"]))
    return places


def _in_repository(file: Path, side: Side) -> str | None:
    """A file's name below the repository's top; of an installed copy, that of the file it was copied from."""
    top = side.tree.top.resolve()
    if file.resolve().is_relative_to(top):
        return file.resolve().relative_to(top).as_posix()
    if file.is_relative_to(side.packages):
        for place in (side.tree.source, side.tree.root):
            copied_from = place / file.relative_to(side.packages)
            if is_file(copied_from) and read_bytes(copied_from, "source") == read_bytes(file, "source"):
                return copied_from.resolve().relative_to(top).as_posix()
    return None


def _compared(before: Results, results: Results, outcome: Outcome) -> Comparison | None:
    from mpcheck.results.compare import compare

    try:
        return replace(compare(before, results), base=f"base {outcome.base}", head=f"head {outcome.head}".strip())  # not names of files
    except InputError as error:  # head may rightly have made another model of the same file
        outcome.notes.append(f"base and head cannot be compared row by row: {error}")
        return None


def _history(root: Path, settings: GateSettings, results: Results | None) -> Sequence[GateEntry]:
    if not settings.history or results is None:
        return ()
    from mpcheck.results.gate_history import gate_history_path, read_gate_history

    slug = str(results.first.environment.get("device_slug", "unknown"))
    path = gate_history_path(root / settings.history, slug)
    return tuple(read_gate_history(path).entries)


def _write(outcome: Outcome, out: Path, history: Sequence[GateEntry], say: Callable[[str], None]) -> None:
    """Reports, and what GitHub reads. The page comes last: the verdict stands whatever becomes of it."""
    text = head_lines(outcome)
    if outcome.comparison is not None:
        from mpcheck.results.comparison_file import write_comparison

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
    from mpcheck.report.markdown import escape

    lines = [f"## Gate: {escape(outcome.headline)}", ""]
    lines += [f"- {escape(remark)}" for remark in outcome.remarks]
    lines += ["", "<details><summary>What was compared</summary>", "", *(f"- {escape(note)}" for note in outcome.notes), "", "</details>", ""]
    return "\n".join(lines) + "\n"


__all__ = ["gate", "head_lines"]
