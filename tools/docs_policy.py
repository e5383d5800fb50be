"""Make what docs/policy.md and the README show: the answer, the table and the pictures of the built-in model on water, and what other records hold.

    mpcheck policy builtin:hco --out reports && python tools/docs_policy.py reports/policy.json [OTHER/policy.json ...]

All records together make the table of measured by predicted errors, and those of a `--sweep` the table over size; what there are no records of
stays as it was.
"""

from __future__ import annotations

import sys
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
sys.path.insert(0, str(ROOT))

from mpcheck._names import POLICY, POLICY_SPEED  # noqa: E402
from mpcheck._text import markdown_table  # noqa: E402
from mpcheck.records.document import Records, read_records  # noqa: E402
from mpcheck.report.pictures.canvas import settings  # noqa: E402
from mpcheck.report.pictures.svg import standalone  # noqa: E402
from mpcheck.sessions.policy.answer import answer  # noqa: E402
from mpcheck.sessions.policy.drawing import pictures  # noqa: E402
from mpcheck.sessions.policy.showing import HEAD, systems, table  # noqa: E402
from mpcheck.sessions.policy.sizes import HEAD as SIZES  # noqa: E402
from mpcheck.sessions.policy.sizes import RIGHT, left_out, size_rows  # noqa: E402

INCLUDES, IMAGES = ROOT / "docs" / "includes", ROOT / "docs" / "images"
SHOWN = ("pareto-force", "spending")
ORDER = ("water", "solvents", "diamond", "slab")
GOALS = {"forces": (0.4, 1.3), "stress": (0.4, 1.3), "energy": (0.3, 1.5)}
"""Between which measured by predicted errors should lie."""


def main(arguments: list[str]) -> int:
    """Write the files.

    Returns:
        0; 2 without records.
    """
    if not arguments:
        print(__doc__, file=sys.stderr)
        return 2
    documents = [read_records(Path(argument)) for argument in arguments]
    document = documents[0]
    if document.of(POLICY_SPEED):
        shown(document)
    if len(documents) > 1:
        (INCLUDES / "policy-ratios.md").write_text("\n".join(ratios(documents)) + "\n", encoding="utf-8")
    for swept in documents:
        if own := size_rows(swept):
            lines = markdown_table(SIZES, own, RIGHT)
            told = [f"- {line}" for line in left_out(swept)]
            (INCLUDES / "policy-sizes.md").write_text(
                "\n".join([*lines, "", *told, *([""] if told else []), machine_of(swept)]) + "\n", encoding="utf-8"
            )
    return 0


def shown(document: Records) -> None:
    """The answer, the table and the pictures of a run that was timed."""
    system = systems(document)[0]
    (INCLUDES / "policy-answer.md").write_text("\n".join(["```", *answer(document), "```"]) + "\n", encoding="utf-8")
    rows = [row for row in table(document, system) if row[1] == "e3nn"]
    lines = markdown_table(HEAD, rows, "ll" + "r" * 8 + "l")
    (INCLUDES / "policy-table.md").write_text(
        "\n".join([*lines, "", f"{document.model.name} on {system}; {machine_of(document).partition('; ')[2]}"]) + "\n", encoding="utf-8"
    )
    with settings():
        for picture in pictures(document):
            if name := next((n for n in SHOWN if n in picture.name), ""):
                (IMAGES / f"policy-{name.partition('-')[0]}.svg").write_text(standalone(picture), encoding="utf-8")


def machine_of(document: Records) -> str:
    """What was measured on what."""
    own = document.environment
    return f"{document.model.name}; {own.device_name}, {own.threads} threads, torch {own.packages['torch']}."


def ratios(documents: list[Records]) -> list[str]:
    """Measured by predicted RMS error of forces, stress and energy, by policy, system and backend; beyond the goal in bold."""
    found: dict[str, dict[str, dict[str, float]]] = {}
    for document in documents:
        for record in (r for r in document.of(POLICY) if r.system.removeprefix("builtin:") in ORDER):
            where = f"{record.system.removeprefix('builtin:')}, {record.backend}"
            cell = found.setdefault(record.subject, {}).setdefault(where, {})
            if record.variant in GOALS and record.ratio is not None:
                cell[record.variant] = record.ratio
    columns = sorted({where for cells in found.values() for where in cells}, key=lambda where: (ORDER.index(where.partition(",")[0]), where))
    rows = [[policy, *(_ratio(cells.get(where, {})) for where in columns)] for policy, cells in found.items() if any(cells.values())]
    return markdown_table(("policy", *columns), rows, "l" + "l" * len(columns))


def _ratio(cell: dict[str, float]) -> str:
    told = (_bold(cell[name], *goal) if name in cell else "–" for name, goal in GOALS.items())
    return " · ".join(told) if cell else "–"


def _bold(value: float, low: float, high: float) -> str:
    return f"{value:.2f}" if low <= value <= high else f"**{value:.2f}**"


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
