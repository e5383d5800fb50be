"""What the Markdown of a session with a showing of its own ends with: what is red, notes, what limits the verdict, the environment."""

from __future__ import annotations

from collections.abc import Sequence

from mpcheck._text import markdown as escape
from mpcheck._text import markdown_table
from mpcheck.records.document import Records
from mpcheck.report.findings import told
from mpcheck.report.standing import standing


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
