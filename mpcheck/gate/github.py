"""What GitHub reads of a job: annotations on standard output, a summary, outputs."""

from __future__ import annotations

import os
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from mpcheck._files.io import append_text
from mpcheck._text import command, log
from mpcheck.gate.outcome import Outcome, place_of
from mpcheck.records.items import Item
from mpcheck.records.reproduce import repeated_where, reproduce
from mpcheck.report.page.red import beyond

if TYPE_CHECKING:
    from mpcheck.records.read import Results

MOST = 10  # errors that GitHub shows of a step
SUMMARY_BYTES = 900_000  # of 1 MiB


@dataclass(frozen=True)
class Annotation:
    """A remark on a change.

    Attributes:
        kind: ``error``, ``warning`` or ``notice``. file: below the repository's top; empty where none is known. line: in it.
    """

    kind: str
    title: str
    message: str
    file: str = ""
    line: int = 0

    @property
    def command(self) -> str:
        """As GitHub reads it from standard output."""
        place: dict[str, object] = {"file": self.file, "line": self.line} if self.file else {}
        return command(self.kind, self.message, **place, title=self.title)

    @property
    def text(self) -> str:
        """For a terminal or another log."""
        place = f" [{self.file}:{self.line}]" if self.file else ""
        return log(f"{self.kind}: {self.title}{place}: {self.message}")


def _message(items: list[Item]) -> str:
    worst = items[0]
    what = " ".join(filter(None, (worst.backend, worst.format, worst.variant, f"on {worst.system}" if worst.system else "")))
    more = f"\nand {len(items) - 1} more of this block in {worst.session}" if len(items) > 1 else ""
    over = beyond(worst)
    return f"{what}: {over and over + ': '}{worst.reason or worst.verdict}" + (f"\n{worst.worst}" if worst.worst else "") + more


def remarks(outcome: Outcome) -> list[Annotation]:
    """One error for every session and block that is red, innermost first, ten at most; then how many more there are."""
    annotations = [Annotation("error", f"mpcheck: {c.session or 'import'} came to no verdict", c.why) for c in outcome.crashed]
    for kind in dict.fromkeys(o.kind for o in outcome.objected):
        texts = [o.text(outcome.allow) for o in outcome.objected if o.kind == kind]
        annotations.append(Annotation("error", f"mpcheck: {kind}", texts[0] + (f"\nand {len(texts) - 1} more" if texts[1:] else "")))
    new = {item.id for item in outcome.new}
    by_block: dict[tuple[str, str], list[Item]] = {}
    for item in outcome.failures:
        by_block.setdefault((item.session, item.subject), []).append(item)
    for (session, subject), items in by_block.items():
        known = outcome.before is not None and not any(item.id in new for item in items)
        message = _message(sorted(items, key=lambda i: (i.id not in new, -i.share))) + ("\nbase has this, too" if known else "")
        place = place_of(subject, outcome.places)
        if place is not None and not place.own:
            message += f"\n{subject} is inside this {place.owner}"
        where = (place.file, place.line) if place is not None else ("", 0)
        annotations.append(Annotation("warning" if known and outcome.only_new else "error", f"mpcheck {session}: {subject}", message, *where))
    worse = [Annotation("error", "mpcheck: worse than base", ", ".join(outcome.worse))] if outcome.worse else []
    room = MOST - len(worse)
    if len(annotations) > room:
        more = f"{len(annotations) - room} more blocks are red; all of them are in the report"
        return [*annotations[:room], *worse, Annotation("notice", "mpcheck", more)]
    return [*annotations, *worse]


def repeat(results: Results, item: Item) -> str:
    """Where and by which command an item can be judged again, in one line."""
    document = results.documents[item.session]
    return f"{repeated_where(document)}: {reproduce(document, item)}"


def append(variable: str, text: str) -> None:
    """Append to the file that a variable of the runner names; nothing outside of GitHub.

    Raises:
        InputError: the runner's file cannot be written.
    """
    path = os.environ.get(variable)
    if path:
        append_text(Path(path), text, variable)


def tell(outcome: Outcome, summary: str) -> None:
    """Summary and outputs of the job."""
    while len(summary.encode()) > SUMMARY_BYTES:
        summary = summary[: len(summary) * 9 // 10]
    append("GITHUB_STEP_SUMMARY", summary)
    outputs = {"verdict": outcome.verdict, "failures": len(outcome.failures), "new-failures": len(outcome.new)}
    append("GITHUB_OUTPUT", "".join(f"{name}={value}\n" for name, value in outputs.items()))
