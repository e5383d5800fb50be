"""What GitHub reads of a job: annotations on standard output, a summary, outputs."""

from __future__ import annotations

import os
import re
from dataclasses import dataclass
from pathlib import Path

from mpcheck._io import append_text
from mpcheck.gate.outcome import Outcome, place_of
from mpcheck.results.items import Item

MOST = 10  # errors that GitHub shows of a step
SUMMARY_BYTES = 900_000  # of 1 MiB
_CONTROL = re.compile(r"[\x00-\x08\x0b\x0c\x0e-\x1f\x7f\x85\u2028\u2029]")


def data(text: str) -> str:
    """The message of a workflow command, in which it cannot end and another begin."""
    plainer = _CONTROL.sub("?", text).replace("##[", "# #[")  # the runner's older form of a command, which it finds anywhere in a line
    return plainer.replace("%", "%25").replace("\r", "%0D").replace("\n", "%0A")


def field(text: str) -> str:
    """A property of a workflow command."""
    return data(text).replace(":", "%3A").replace(",", "%2C")


def plain(text: str) -> str:
    """A line of a log that GitHub takes for no command, whatever is in it."""
    return _CONTROL.sub("?", " ".join(text.splitlines())).replace("##[", "# #[").replace("::", ": :")


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
        place = f"file={field(self.file)},line={self.line}," if self.file else ""
        return f"::{self.kind} {place}title={field(self.title)}::{data(self.message)}"

    @property
    def text(self) -> str:
        """For a terminal or another log."""
        place = f" [{self.file}:{self.line}]" if self.file else ""
        return plain(f"{self.kind}: {self.title}{place}: {self.message}")


def _message(items: list[Item]) -> str:
    worst = items[0]
    what = " ".join(filter(None, (worst.backend, worst.format, worst.variant, f"on {worst.system}" if worst.system else "")))
    more = f"\nand {len(items) - 1} more of this block in {worst.session}" if len(items) > 1 else ""
    return f"{what}: {worst.reason or worst.verdict}" + (f"\n{worst.worst}" if worst.worst else "") + more


def remarks(outcome: Outcome) -> list[Annotation]:
    """One error for every session and block that is red, innermost first, ten at most; then how many more there are."""
    found = [Annotation("error", f"mpcheck: {c.session or 'import'} came to no verdict", c.why) for c in outcome.crashed]
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
        found.append(Annotation("warning" if known and outcome.only_new else "error", f"mpcheck {session}: {subject}", message, *where))
    if len(found) > MOST:
        more = f"{len(found) - MOST} more blocks are red; all of them are in the report"
        return [*found[:MOST], Annotation("notice", "mpcheck", more)]
    return found


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


__all__ = ["Annotation", "append", "data", "field", "plain", "remarks", "tell"]
