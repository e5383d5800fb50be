"""What a session with a showing of its own ends with, on a terminal and in Markdown: what is red, notes, what limits the verdict."""

from __future__ import annotations

from collections.abc import Iterable, Sequence

from mpcheck._console import Sheet
from mpcheck._text import markdown as escape
from mpcheck._text import markdown_table
from mpcheck.records.document import Records
from mpcheck.report.findings import counts, told
from mpcheck.report.judged import judged_lines
from mpcheck.report.palette import style
from mpcheck.report.standing import standing

MOST_TOLD = 8


def concluded(sheet: Sheet, document: Records, beside: Iterable[str]) -> None:
    """The last lines on a terminal: counts, what is red, what is to be said beside it, the verdict, what was made of the user's files."""
    sheet.line()
    sheet.line("findings: ", *((f"{n} {verdict}  ", style(verdict)) for verdict, n in counts(document).items()))
    for found in told(document, "fail")[:MOST_TOLD]:
        sheet.line((f"FAIL {found.id}", style("fail")))
        sheet.line(f"     {found.reason}", wrap=True)
    for line in beside:
        sheet.line((f"  {line}", "dim"), cut=True)
    for line in standing(document):
        sheet.line((line, "bold"))
    for line in judged_lines(document):
        sheet.line(line)


def ending(document: Records, notes: Sequence[str]) -> list[str]:
    """Its lines, without a line's end."""
    failed = [[escape(t) for t in (f.id, f.reason, f.block)] for f in told(document, "fail")]
    lines = ["", "## fail", "", *markdown_table(("finding", "reason", "block"), failed)] if failed else []
    lines += [f"- {escape(note)}" for note in notes]
    _, *limits = standing(document)
    lines += [f"- **{escape(line)}**" for line in limits]
    environment = document.environment
    packages = ", ".join(f"{k} {v}" for k, v in environment.packages.items())
    return [*lines, "", "## Environment", "", f"- {escape(packages)}", f"- {escape(environment.device_name)}, {escape(environment.platform)}"]
