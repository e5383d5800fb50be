"""Make what docs/training.md shows of measured trainings: the answer, the tables, pictures.

    mpcheck train -n 2 --out reports && python tools/docs_training.py reports/training.json [OTHER/training.json ...]

Records of further runs, of regimes that are not trained by default say, get a table of their own.
"""

from __future__ import annotations

import sys
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
sys.path.insert(0, str(ROOT))

from mpcheck._text import duration, markdown_table  # noqa: E402
from mpcheck._text import markdown as escape  # noqa: E402
from mpcheck.records.document import Records, read_records  # noqa: E402
from mpcheck.report.pictures.canvas import settings  # noqa: E402
from mpcheck.report.pictures.svg import standalone  # noqa: E402
from mpcheck.sessions.training.answer import answer  # noqa: E402
from mpcheck.sessions.training.drawing import pictures  # noqa: E402
from mpcheck.sessions.training.showing import tables  # noqa: E402

INCLUDES, IMAGES = ROOT / "docs" / "includes", ROOT / "docs" / "images"
SHOWN = {"training-losses": "Validation loss by epoch and regime", "training-force": "Errors of forces by regime and split"}


def main(arguments: list[str]) -> int:
    """Write the files.

    Returns:
        0; 2 without records.
    """
    if not arguments:
        print(__doc__, file=sys.stderr)
        return 2
    lines: list[str] = []
    for place, argument in enumerate(arguments):
        document = read_records(Path(argument))
        lines += told(document)
        if not place:
            lines += [f"![{alt}](images/{name}.svg)\n" for name, alt in SHOWN.items()]
            drawn(document)
    (INCLUDES / "training-table.md").write_text("\n".join(lines), encoding="utf-8")
    return 0


def told(document: Records) -> list[str]:
    """Answer and tables of one run."""
    lines = [f"- {escape(line)}" for line in answer(document)] + [""]
    for title, head, rows, _, align in tables(document):
        if own := [[*map(escape, row)] for row in rows]:
            lines += [f"{title[0].upper()}{title[1:]}:", "", *markdown_table(head, own, align), ""]
    packages = document.environment.packages
    versions = ", ".join(f"{name} {packages[name]}" for name in ("torch", "mace-torch", "e3nn") if name in packages)
    asked = document.options
    command = f"`mpcheck train --seeds {asked['seeds']} --epochs {asked['epochs']}`"
    return [*lines, f"{command} on {document.environment.device_name}, {versions}, {duration(document.seconds)} beside other work.", ""]


def drawn(document: Records) -> None:
    """Pictures of the page."""
    with settings():
        made = {picture.name: picture for picture in pictures(document)}
    for name in SHOWN:
        (IMAGES / f"{name}.svg").write_text(standalone(made[name]), encoding="utf-8")


if __name__ == "__main__":
    raise SystemExit(main(sys.argv[1:]))
