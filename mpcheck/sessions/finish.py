"""From what was planned and collected to a session's records and their files."""

from __future__ import annotations

import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from mpcheck import __version__
from mpcheck.records.environment import describe
from mpcheck.records.finding import Finding, Findings
from mpcheck.records.record import Cell, Planned, Run
from mpcheck.records.shards import ROWS, SHARD, by_first_seen
from mpcheck.report import bench, terminal
from mpcheck.report import findings as findings_report
from mpcheck.report.earlier import remove_earlier, set_aside, withdraw
from mpcheck.report.write import write_records, write_state
from mpcheck.sessions.options import Options, plain
from mpcheck.sessions.run import Session

Document = Run | Findings


@dataclass(frozen=True)
class Accounts:
    """What records say of the run itself; see :class:`mpcheck.records.record.Accounted`."""

    suite: str
    plan: Sequence[Planned]
    state: str
    why: str = ""
    narrowed: Mapping[str, Sequence[str]] | None = None

    @property
    def fields(self) -> dict[str, Any]:
        """As fields of a document."""
        narrowed = {kind: list(names) for kind, names in (self.narrowed or {}).items() if names}
        return {"suite": self.suite, "plan": list(self.plan), "state": self.state, "why": self.why, "narrowed": narrowed}


def head(options: Options, session: Session, seconds: float) -> dict[str, Any]:
    """What every session's records begin with: environment, model, systems, options."""
    asked = {k: v for k, v in plain(options).items() if v or k not in (SHARD, ROWS)}
    return {
        "schema_version": 2,
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


def assembled(accounts: Accounts, session: Session, rows: Mapping[str, Sequence[dict[str, Any]]], seconds: float) -> Document:
    """The records of a run.

    Args:
        rows: by kind (``cell``, ``golden``, ``finding``), in their order.
    """
    fields = {**head(session.options, session, seconds), **accounts.fields}
    if accounts.suite == "precision":
        return Run.model_validate({**fields, "cells": [Cell.model_validate(c) for c in rows.get("cell", ())], "golden": list(rows.get("golden", ()))})
    findings = by_first_seen((Finding.model_validate(f) for f in rows.get("finding", ())), lambda f: f.check)
    return Findings.model_validate({**fields, "findings": findings})


def begin(accounts: Accounts, session: Session, out: str | None) -> list[str]:
    """Write records that say what is planned and that the run has not ended: what a killed run leaves.

    Returns:
        What a reader must be told of the records that were there before.

    Raises:
        InputError: the place cannot be written.
    """
    if out is None:
        return []
    document = assembled(accounts, session, {}, 0.0)
    said = set_aside(Path(out), accounts.suite, document)
    write_state(Path(out), document)
    return said


def finish(
    accounts: Accounts, session: Session, rows: Mapping[str, Sequence[dict[str, Any]]], seconds: float, out: str | None, notes: Sequence[str] = ()
) -> tuple[Document, list[Path]]:
    """Assemble the records and, where a directory was named, write ``SESSION.json`` and what people read of it.

    Args:
        notes: lines that a reader must see beside them.

    Raises:
        InputError: the place cannot be written.
    """
    document = assembled(accounts, session, rows, seconds)
    if out is None:
        return document, []
    files = write_records(Path(out), document, notes)
    remove_earlier(Path(out), document)
    return document, files


def shown(document: Document, notes: Sequence[str] = (), color: bool = False) -> str:
    """A session's records for the terminal."""
    if isinstance(document, Run):
        return terminal.render(document, color)
    return bench.render(document, notes, color) if document.suite == "bench" else findings_report.render(document, color)


__all__ = ["Accounts", "assembled", "begin", "finish", "head", "set_aside", "shown", "withdraw"]
