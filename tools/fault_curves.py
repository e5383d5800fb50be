"""Measure what the suite sees, from which size on, and what other projects' rules would have seen: ``python tools/fault_curves.py``.

Writes ``reports/fault-curves.json``, ``reports/fault-deciders.json`` and ``docs/images/fault-curves.png``, and prints both tables as
Markdown. On one core of an AMD EPYC some six minutes; ``--smoke`` takes a small part, ``--only`` one of the two.

``--only rows`` measures faults confined to some rows of tensors of 86,000, where every row is judged and where a sample is:
``reports/fault-rows.json``, ``docs/includes/fault-rows.md`` and ``docs/images/fault-rows.png``.
"""

from __future__ import annotations

import sys
from enum import Enum
from pathlib import Path
from typing import Annotated

import typer

ROOT = Path(__file__).parents[1]
sys.path.insert(0, str(ROOT))  # the families and rules are part of the tests

from mpcheck._errors import InputError  # noqa: E402
from mpcheck._files.io import write_text  # noqa: E402
from mpcheck._names import ALL, SAMPLE  # noqa: E402
from mpcheck._own import own_digest  # noqa: E402
from mpcheck._progress import PROGRESS  # noqa: E402
from mpcheck.formats import FORMATS  # noqa: E402
from mpcheck.sessions.run import Options, Session  # noqa: E402
from tests.faults.curves import measure, picture, records, sampling, sampling_records, sampling_table, table  # noqa: E402
from tests.faults.deciders import comparison  # noqa: E402
from tests.faults.deciders import records as decider_records  # noqa: E402


class Part(str, Enum):
    """What to measure."""

    curves = "curves"
    deciders = "deciders"
    rows = "rows"


def main(
    only: Annotated[Part | None, typer.Option(help="One part instead of curves and deciders.")] = None,
    smoke: Annotated[bool, typer.Option(help="A small part of each.")] = False,
    seed: Annotated[int, typer.Option(help="Chooses magnitudes, irreps, rows, elements.")] = 0,
    cache: Annotated[Path | None, typer.Option(help="Directory of references; the user's by default.")] = None,
    reports: Annotated[Path, typer.Option(help="Where the JSON goes.")] = ROOT / "reports",
    image: Annotated[Path, typer.Option(help="Where the picture goes.")] = ROOT / "docs" / "images" / "fault-curves.png",
    again: Annotated[bool, typer.Option(help="Measure nothing: tables and picture of what was written before.")] = False,
) -> None:
    """Measure, write and print."""
    try:
        if only is Part.rows:
            _rows(cache, smoke, seed, reports / "fault-rows.json", image.with_name("fault-rows.png"), again)
            return
        if only is not Part.deciders:
            path = reports / "fault-curves.json"
            if not again:
                effort = measure.SMOKE if smoke else measure.FULL
                measure.measure_curves(_session(cache), effort, seed, PROGRESS, lambda curves: records.write_curves(path, curves))
            curves = records.read_curves(path)
            picture.write_picture(image, curves)
            PROGRESS.clear()
            print(table.markdown(curves))
        if only is not Part.curves:
            path = reports / "fault-deciders.json"
            if not again:
                formats = ["float64", "bfloat16"] if smoke else list(FORMATS)
                few = (lambda label: label.startswith(("A16", "B12"))) if smoke else (lambda label: True)
                rules = comparison.compare_rules(_session(cache), formats, few, progress=PROGRESS)
                decider_records.write_comparison(path, rules)
            PROGRESS.clear()
            print(comparison.markdown(decider_records.read_comparison(path)))
    except InputError as error:
        PROGRESS.clear()
        print(f"error: {error}", file=sys.stderr)
        raise typer.Exit(2) from error


def _rows(cache: Path | None, smoke: bool, seed: int, path: Path, image: Path, again: bool) -> None:
    """Faults confined to some rows of large tensors."""
    if not again:
        every, sampled = (
            Session(Options(systems=(sampling.SYSTEM,), formats=sampling.FORMATS, backends=("e3nn",), cache=cache, rows=rows, progress=PROGRESS))
            for rows in (ALL, SAMPLE)
        )
        effort = sampling.Effort(2, 20, 1) if smoke else sampling.Effort()
        blocks = sampling.BLOCKS[:1] if smoke else sampling.BLOCKS
        sampling.measure(every, sampled, effort, seed, PROGRESS, blocks, lambda found: sampling_records.write_confined(path, found), _known(path))
    found = sampling_records.read_confined(path)
    sampling_table.write_picture(image, found)
    write_text(image.parents[1] / "includes" / "fault-rows.md", sampling_table.markdown(found))
    PROGRESS.clear()
    print(sampling_table.markdown(found))


def _known(path: Path) -> list[sampling_records.Row]:
    """What a measurement that was cut off has left, where the same code made it."""
    if not path.is_file():
        return []
    found = sampling_records.read_confined(path)
    return found.rows if found.environment.get("mpcheck_digest") == own_digest() else []


def _session(cache: Path | None) -> Session:
    """The built-in model on water, e3nn and cueq; every reference is made before any fault."""
    session = Session(Options(model="builtin:hco", systems=(measure.SYSTEM,), cache=cache, progress=PROGRESS))
    library = session.library(measure.SYSTEM)
    for block in library.blocks():
        library.get(block.name)
        for name in ("bfloat16", "float16"):
            library.rounded(block.name, FORMATS[name].storage)
    for backend in session.backend_names:
        session.backend(backend)
    return session


if __name__ == "__main__":
    typer.run(main)
