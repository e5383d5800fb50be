"""Make what docs/policy.md and the README show: the answer, the table and the pictures of the built-in model on water.

mpcheck policy builtin:hco --out reports && python tools/docs_policy.py reports/policy.json
"""

from __future__ import annotations

import sys
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
sys.path.insert(0, str(ROOT))

from mpcheck._text import markdown_table  # noqa: E402
from mpcheck.records.document import read_records  # noqa: E402
from mpcheck.report.pictures.canvas import settings  # noqa: E402
from mpcheck.report.pictures.svg import standalone  # noqa: E402
from mpcheck.sessions.policy.answer import answer  # noqa: E402
from mpcheck.sessions.policy.drawing import pictures  # noqa: E402
from mpcheck.sessions.policy.showing import HEAD, systems, table  # noqa: E402

INCLUDES, IMAGES = ROOT / "docs" / "includes", ROOT / "docs" / "images"
SHOWN = ("pareto-force", "spending")


def main(arguments: list[str]) -> int:
    """Write the files.

    Returns:
        0; 2 without records.
    """
    if len(arguments) != 1:
        print(__doc__, file=sys.stderr)
        return 2
    document = read_records(Path(arguments[0]))
    system = systems(document)[0]
    (INCLUDES / "policy-answer.md").write_text("\n".join(["```", *answer(document), "```"]) + "\n", encoding="utf-8")
    rows = [row for row in table(document, system) if row[1] == "e3nn"]
    lines = markdown_table(HEAD, rows, "ll" + "r" * 8 + "l")
    machine = f"{document.environment.device_name}, {document.environment.threads} threads, torch {document.environment.packages['torch']}"
    (INCLUDES / "policy-table.md").write_text("\n".join([*lines, "", f"{document.model.name} on {system}; {machine}."]) + "\n", encoding="utf-8")
    with settings():
        for picture in pictures(document):
            if name := next((n for n in SHOWN if n in picture.name), ""):
                (IMAGES / f"policy-{name.partition('-')[0]}.svg").write_text(standalone(picture), encoding="utf-8")
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
