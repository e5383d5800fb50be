"""What the zoo session writes: a row for each session of each model; as JSON, and as a table."""

from __future__ import annotations

from pathlib import Path
from typing import Any, Literal

from mpcheck._files.documents import write_document
from mpcheck._files.io import write_text
from mpcheck._files.yaml import Strict

State = Literal["green", "red", "refused", "not built"]
TOLD = 8  # red lines of a row that are printed


class Row(Strict):
    """One session of one model.

    Attributes:
        state: ``refused``: as its row in the table says that it is; ``not built``: a package that upstream needs is not installed.
        cells: records of the session; known: of them, known faults of upstream. red: what is wrong, a line each.
        command: that repeats it.
    """

    id: str
    session: str
    structures: list[str]
    state: State
    cells: int = 0
    verdicts: dict[str, int] = {}
    known: list[str] = []
    red: list[str] = []
    seconds: float = 0.0
    command: str = ""


class Zoo(Strict):
    """All rows."""

    schema_version: Literal[1] = 1
    mpcheck: str
    environment: dict[str, Any]
    rows: list[Row]

    @property
    def red(self) -> list[Row]:
        """Rows that must not be."""
        return [row for row in self.rows if row.state == "red"]

    @property
    def green(self) -> bool:
        """Nothing is red, and something was judged."""
        return not self.red and any(row.state == "green" for row in self.rows)


def line(row: Row) -> str:
    """A row of the table, as text."""
    return f"{row.state:9} {row.id:28} {row.session:10} {row.cells:6} cells {len(row.red):4} red {len(row.known):4} known {row.seconds:6.0f} s"


def markdown(found: Zoo) -> str:
    """The table, red rows first, then everything that is red, then the known faults by how many rows have them."""
    rows = sorted(found.rows, key=lambda row: (row.state != "red", row.id, row.session))
    lines = [f"# {len(found.red)} red of {len(rows)} sessions of {len({row.id for row in rows})} models", ""]
    lines += ["| model | structures | session | | cells | red | known | seconds |", "|---|---|---|---|---:|---:|---:|---:|"]
    for row in rows:
        counts = f"{row.cells} | {len(row.red)} | {len(row.known)} | {row.seconds:.0f}"
        lines.append(f"| {row.id} | {', '.join(row.structures)} | {row.session} | {row.state} | {counts} |")
    for row in found.red:
        lines += ["", f"## {row.id}, {row.session}", "", f"    {row.command}", "", *(f"- {text}" for text in row.red)]
    known = {fault: sum(fault in row.known for row in rows) for row in rows for fault in row.known}
    lines += ["", "## Known faults of upstream, and sessions that met them", ""] + [f"- {name}: {n}" for name, n in sorted(known.items())]
    return "\n".join(lines) + "\n"


def write_zoo(directory: Path, found: Zoo) -> None:
    """``zoo.json`` and ``zoo.md``."""
    write_document(directory / "zoo.json", found, "rows")
    write_text(directory / "zoo.md", markdown(found))
