"""From collected cells to a Run and its files."""

from __future__ import annotations

import time
from collections.abc import Sequence
from dataclasses import asdict
from pathlib import Path
from typing import Any

from mpcheck import __version__
from mpcheck.checks.precision import CellKey
from mpcheck.environment import describe
from mpcheck.findings import Finding, Findings
from mpcheck.records import Cell, Run
from mpcheck.report import bench
from mpcheck.report import findings as findings_report
from mpcheck.report.write import write_records
from mpcheck.results.outcome import judged
from mpcheck.session import Options, Session
from mpcheck.shards import ROWS, SHARD, by_first_seen


def head(options: Options, session: Session, seconds: float) -> dict[str, Any]:
    """What every session's records begin with: environment, model, systems, options."""
    asked = {k: v for k, v in asdict(options).items() if k != "progress" and (v or k not in (SHARD, ROWS))}
    asked.update({k: str(v) if v is not None else None for k, v in asked.items() if k in ("cache", "tolerances")})
    asked.update({k: list(v) for k, v in asked.items() if isinstance(v, tuple)})
    return {
        "schema_version": 1,
        "mpcheck": __version__,
        "environment": describe(options.device),
        "model": {"name": session.model.name, "digest": session.model.digest, "stored_dtype": session.model.stored_dtype, **session.model.source},
        "systems": [
            {
                "name": s.name,
                "atoms": s.atoms,
                "frames": len(s.frames),
                "digest": s.digest,
                "edges": int(session.graph(n)["edge_index"].shape[1]),
                **({"reference": reference} if (reference := session.reference(n, time.time() - seconds)) else {}),
            }
            for n, s in session.systems.items()
        ],
        "options": asked,
        "seconds": round(seconds, 3),
    }


def make_run(options: Options, session: Session, cells: list[Cell], golden: list[Any], seconds: float) -> Run:
    """The records of a run."""
    order = {key: i for i, key in enumerate(session.cells())}
    cells = sorted(cells, key=lambda c: order.get(_key_of(c), len(order)))
    return Run(suite="precision", cells=cells, golden=golden, **head(options, session, seconds))


def show_findings(run: Findings, notes: Sequence[str] = (), color: bool = False) -> str:
    """A session's findings for the terminal."""
    return bench.render(run, notes, color) if run.suite == "bench" else findings_report.render(run, color)


def finish_findings(
    suite: Any, session: Session, found: list[dict[str, Any]], seconds: float, out: str | None, notes: Sequence[str] = ()
) -> dict[str, Any]:
    """Assemble the findings and, where a directory was named, write ``SUITE.json`` and ``SUITE.md`` into it.

    Args:
        notes: lines that a reader must see beside them.

    Returns:
        ``run``: the findings; ``out``: the files; ``judged``: how many came to a conclusion, or were measured for the first time.
    """
    findings = by_first_seen((Finding.model_validate(f) for f in found), lambda f: f.check)
    run = Findings(suite=suite, findings=findings, **head(session.options, session, seconds))
    if out is None:
        return {"run": run, "out": [], "judged": judged(run)}
    return {"run": run, "out": write_records(Path(out), run, notes), "judged": judged(run)}


def _key_of(cell: Cell) -> CellKey:
    return CellKey(cell.system, cell.block, cell.backend, cell.format, cell.direction)


def finish(
    options: Options, session: Session, cells: list[dict[str, Any]], golden: list[Any], seconds: float, out: str | None
) -> tuple[Run, list[Path]]:
    """Assemble the run and, where a directory was named, write ``precision.json``, ``.md`` and ``.png`` into it."""
    run = make_run(options, session, [Cell.model_validate(c) for c in cells], golden, seconds)
    return run, write_records(Path(out), run) if out is not None else []
