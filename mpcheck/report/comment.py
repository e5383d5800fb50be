"""The comment on a pull request, written anew from records that the pull request's own code wrote.

Nothing that the code could have written is passed on: no HTML, no Markdown, no comparison, no link. Known files alone are read, by the
strict schemas of the records and within limits; every word around the figures is ours.
"""

from __future__ import annotations

import stat
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from mpcheck._errors import InputError
from mpcheck._files.io import is_file, write_text
from mpcheck._files.kinds import MARKDOWN
from mpcheck._files.outputs import Output, refuse_outputs
from mpcheck.history.objections import FILE, of_comparison, read_gate
from mpcheck.records.limits import UNTRUSTED, Limits
from mpcheck.records.read import Results, read_results
from mpcheck.sessions.registry import sessions

if TYPE_CHECKING:
    from mpcheck.history.compare import Comparison
    from mpcheck.history.gates import GateEntry
    from mpcheck.report.page import Judgement, Pinned

MOST_BYTES = 8 << 20
"""Of ``gate.json``."""
LIMIT_BYTES = 60_000
"""Of a comment; GitHub takes 65,536 characters, and the job adds a line of its own."""


def records_in(directory: Path) -> list[Path]:
    """The sessions' records in a directory, by the names that sessions give them; nothing else in it is looked at.

    Raises:
        InputError: the directory is a link, or one of them is a link or no ordinary file.
    """
    if directory.is_symlink():
        raise InputError(f"records {directory} are no ordinary directory; give the directory as the gate's artifact was unpacked")
    paths = []
    for path in (directory / f"{session}.json" for session in sessions()):
        try:
            mode = path.lstat().st_mode
        except FileNotFoundError:
            continue
        except OSError as error:
            raise InputError(f"records {path} cannot be read: {error.strerror or error}; check the path") from error
        if not stat.S_ISREG(mode):
            raise InputError(f"records {path} are no ordinary file; give the directory as the gate's artifact was unpacked")
        paths.append(path)
    return paths


def checked(directory: Path, limits: Limits) -> Results | None:
    """Records of one side; None where there are none.

    Raises:
        InputError: see :func:`mpcheck.records.read.read_results`; a file that holds another session than its name says.
    """
    paths = records_in(directory)
    if not paths:
        return None
    results = read_results(paths, limits)
    named, held = [path.stem for path in results.files], list(results.documents)
    if named != held:
        raise InputError(f"records {directory}: {', '.join(named)} hold {', '.join(held)}; give records by the names that sessions give them")
    return results


def judgement_of(results: Results, conclusion: str, against: Sequence[str] = ()) -> Judgement | None:
    """What GitHub says of the run, where the records alone would say something else; None where they agree.

    Args:
        conclusion: of the run, from GitHub's own event: ``success``, ``failure`` or ``timed_out``; empty where nobody knows.
        against: what speaks against it beside red records.
    """
    from mpcheck.report.page import Judgement

    if conclusion in ("failure", "timed_out") and results.verdict == "PASS":
        why = f"the run ended as {conclusion} although its records are green: a session came to no verdict, or another job failed; see its log"
        return Judgement("FAIL", tuple(against) or (why,))
    if conclusion == "success" and (results.verdict == "FAIL" or against):
        return Judgement("PASS", ("the run ended green: what is red is red in base, too",) if results.verdict == "FAIL" else ())
    return Judgement("FAIL", tuple(against)) if against else None


def beside(directory: Path, comparison: Comparison | None) -> tuple[list[str], list[str]]:
    """What speaks against a gate beside red records, and what else of its ``gate.json`` is to be told, in our words.

    Raises:
        InputError: it is a link, or not as a gate writes it.
    """
    path = directory / FILE
    if path.is_symlink() or not is_file(path):
        return of_comparison(comparison, ()), []
    if path.stat().st_size > MOST_BYTES:
        raise InputError(f"gate {path} is larger than {MOST_BYTES >> 20} MiB; this cannot be the right file")
    told = read_gate(path)
    red = [o for o in told.objections if o.red(told.allow)]
    return [*(o.text(told.allow) for o in red), *of_comparison(comparison, told.allow)], [o.text(told.allow) for o in told.objections if o not in red]


def compared(base: Results | None, head: Results) -> tuple[Comparison | None, list[str]]:
    """Base against head, and why they cannot be compared where they cannot."""
    from mpcheck.history.compare import compare

    try:
        return (compare(base, head) if base is not None else None), []
    except InputError as error:
        return None, [f"base and head cannot be compared: {error}"]


def comment(directory: Path, history: Path | None = None, limits: Limits = UNTRUSTED, conclusion: str = "", pinned: Pinned | None = None) -> str:
    """The Markdown of a comment.

    Args:
        directory: a gate's output: records in ``head``, and in ``base`` where there was one to compare with.
        history: directory of gate histories, ours, by which "red since" is told.
        limits: of the records. conclusion: see :func:`judgement_of`.
        pinned: names that commands may hold besides those of built-in models and systems: of the gated repository's own settings.

    Raises:
        InputError: no records of the head, or records that are not to be trusted to be ours.
    """
    from mpcheck.history.gates import gate_history_path, in_time, read_gate_history
    from mpcheck.report.page import Judgement, Pinned, summary_markdown

    head = checked(directory / "head", limits)
    if head is None:
        names = ", ".join(f"{session}.json" for session in sessions())
        raise InputError(f"no records in {directory / 'head'}; expected one of {names}, as `mpcheck gate` writes them")
    base = checked(directory / "base", limits)
    entries: list[GateEntry] = []
    if history is not None:
        entries = in_time(read_gate_history(gate_history_path(history, str(head.first.environment.device_slug))).entries)
    comparison, broken = compared(base, head)
    against, more = beside(directory, comparison)
    judgement = judgement_of(head, conclusion, against or broken)
    if more:
        judgement = judgement or Judgement(head.verdict)
        judgement = Judgement(judgement.verdict, (*judgement.remarks, *more))
    return summary_markdown(head, comparison, entries, limit_bytes=LIMIT_BYTES, judgement=judgement, pinned=pinned or Pinned())


def write_comment(directory: Path, out: Path, history: Path | None = None, conclusion: str = "", pinned: Pinned | None = None) -> None:
    """Write :func:`comment` to a file, which is left as it was where the records are refused."""
    sides = [path for side in ("head", "base") if (directory / side).is_dir() for path in records_in(directory / side)]
    refuse_outputs([Output(out, MARKDOWN, "--out")], sides)
    write_text(out, comment(directory, history, conclusion=conclusion, pinned=pinned))
