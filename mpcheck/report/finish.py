"""From collected cells to a Run and its files."""

from __future__ import annotations

from dataclasses import asdict
from pathlib import Path
from typing import Any

from mpcheck import __version__
from mpcheck._io import write_text
from mpcheck.checks.precision import CellKey
from mpcheck.environment import describe
from mpcheck.records import Cell, Run, write_run
from mpcheck.report.markdown import render
from mpcheck.session import Options, Session


def make_run(options: Options, session: Session, cells: list[Cell], golden: list[dict[str, Any]], seconds: float) -> Run:
    """The records of a run."""
    asked = {k: v for k, v in asdict(options).items() if k not in ("progress",)}
    asked.update({k: str(v) if v is not None else None for k, v in asked.items() if k in ("cache", "tolerances")})
    asked.update({k: list(v) for k, v in asked.items() if isinstance(v, tuple)})
    order = {key: i for i, key in enumerate(session.cells())}
    cells = sorted(cells, key=lambda c: order.get(_key_of(c), len(order)))
    return Run(
        schema_version=1,
        suite="precision",
        mpcheck=__version__,
        environment=describe(options.device),
        model={"name": session.model.name, "digest": session.model.digest, "stored_dtype": session.model.stored_dtype, **session.model.source},
        systems=[
            {"name": s.name, "atoms": s.atoms, "frames": len(s.frames), "digest": s.digest, "edges": int(session.graph(n)["edge_index"].shape[1])}
            for n, s in session.systems.items()
        ],
        options=asked,
        cells=cells,
        golden=golden,
        seconds=round(seconds, 3),
    )


def _key_of(cell: Cell) -> CellKey:
    return CellKey(cell.system, cell.block, cell.backend, cell.format, cell.direction)


def finish(
    options: Options, session: Session, cells: list[dict[str, Any]], golden: list[dict[str, Any]], seconds: float, out: str | None
) -> tuple[Run, list[Path]]:
    """Assemble the run and, where a directory was named, write ``precision.json`` and ``precision.md`` into it."""
    run = make_run(options, session, [Cell.model_validate(c) for c in cells], golden, seconds)
    if out is None:
        return run, []
    directory = Path(out)
    write_run(directory / "precision.json", run)
    write_text(directory / "precision.md", render(run))
    return run, [directory / "precision.json", directory / "precision.md"]
