"""Make what docs/md.md shows: the answer, the tables and a picture of a run of the md session.

mpcheck md builtin:hco -n 2 --out reports && python tools/docs_md.py reports/md.json
"""

from __future__ import annotations

import sys
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
sys.path.insert(0, str(ROOT))

from mpcheck._text import markdown_table  # noqa: E402
from mpcheck.records.document import Records, read_records  # noqa: E402
from mpcheck.report.pictures.canvas import settings  # noqa: E402
from mpcheck.report.pictures.svg import standalone  # noqa: E402
from mpcheck.sessions.md import tables  # noqa: E402
from mpcheck.sessions.md.answer import answer  # noqa: E402
from mpcheck.sessions.md.drawing import pictures  # noqa: E402

INCLUDES, IMAGES = ROOT / "docs" / "includes", ROOT / "docs" / "images"
TABLES = {
    "md-equivalence.md": "Equivalence to float64", "md-means.md": "Means over starts ± standard deviation within a run",
    "md-traces.md": "Traces against float64's of the same start: meV/atom, K", "md-speed.md": "Speed",
}  # fmt: skip


def main(arguments: list[str]) -> int:
    """Write the files.

    Returns:
        0; 2 without records.
    """
    if len(arguments) != 1:
        print(__doc__, file=sys.stderr)
        return 2
    document = read_records(Path(arguments[0]))
    (INCLUDES / "md-answer.md").write_text("\n".join(["```text", *answer(document), "```", ""]), encoding="utf-8")
    made = {title: (head, rows, align) for title, head, rows, align in tables.every(document)}
    for name, title in TABLES.items():
        lines = [*markdown_table(*made[title]), "", machine_of(document), ""] if title in made else ["Nothing was compared.", ""]
        (INCLUDES / name).write_text("\n".join(lines), encoding="utf-8")
    with settings():
        drawn = pictures(document)
    parting = next(p for p in drawn if "parting" in p.name)
    (IMAGES / "md-parting.svg").write_text(standalone(parting), encoding="utf-8")
    return 0


def machine_of(document: Records) -> str:
    """What was measured where and when."""
    environment, versions = document.environment, document.environment.packages
    software = f"torch {versions.get('torch', '?')}, mace-torch {versions.get('mace-torch', '?')}"
    counts = f"{document.options.get('seeds', '?')} starts"
    return f"{environment.device_name}, one thread, {software}, {counts}, {environment.date[:10]}."


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
