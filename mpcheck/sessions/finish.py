"""From what was planned and collected to a session's records and their files."""

from __future__ import annotations

import time
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from mpcheck import __version__
from mpcheck.adapters.places import code_of
from mpcheck.records.document import Environment, JudgedModel, JudgedSystem, Records, Reference
from mpcheck.records.environment import describe
from mpcheck.records.record import Planned, Record
from mpcheck.records.shards import ROWS, SHARD, by_first_seen
from mpcheck.report.earlier import remove_earlier, set_aside, withdraw
from mpcheck.report.showing import showing
from mpcheck.report.write import write_records, write_state
from mpcheck.sessions.options import Options, plain
from mpcheck.sessions.run import Session


@dataclass(frozen=True)
class Accounts:
    """What records say of the run itself; see :class:`mpcheck.records.document.Records`."""

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


UNSAID = (SHARD, ROWS, "references", "rows", "memory_limit", "cache_limit")
"""Options that records do not have where nobody asked for them: histories compare what was asked for, and would begin anew with a new option."""


def head(options: Options, session: Session, seconds: float) -> dict[str, Any]:
    """What every session's records begin with: environment, model, systems, options."""
    model, asked = session.model, {k: v for k, v in plain(options).items() if v or k not in UNSAID}
    asked |= {name: getattr(options, name) for name in options.told}
    return {
        "mpcheck": __version__,
        "environment": Environment.model_validate(describe(options.device)),
        "model": JudgedModel(
            name=model.name,
            digest=model.digest,
            stored_dtype=model.stored_dtype,
            source=dict(model.source),
            elements=list(model.elements),
            parameters=sum(p.numel() for p in model.module.parameters()),
            code=code_of(model.module),
        ),
        "systems": [_system(session, name, time.time() - seconds) for name in session.systems],
        "options": asked,
        "seconds": round(seconds, 3),
    }


def _system(session: Session, name: str, began: float) -> JudgedSystem:
    system, edges = session.systems[name], int(session.graph(name)["edge_index"].shape[1])
    reference = _reference(session.reference(name, began))
    counts = {"atoms": system.atoms, "frames": len(system.frames), "edges": edges}
    notes = [*system.notes, *filter(None, [session.sampled(name)])]
    return JudgedSystem(name=system.name, digest=system.digest, notes=notes, reference=reference, **counts)


def _reference(facts: Mapping[str, Any]) -> Reference | None:
    """None where the session has used none."""
    return Reference(**{"origin" if name == "from" else name: value for name, value in facts.items()}) if facts else None


def assembled(accounts: Accounts, session: Session, records: Iterable[Record], seconds: float) -> Records:
    """The records of a run, given in their order; those of one check stand together."""
    rows = by_first_seen(records, lambda record: record.check)
    return Records.model_validate({**head(session.options, session, seconds), **accounts.fields, "records": rows})


def begin(accounts: Accounts, session: Session, out: str | None) -> list[str]:
    """Write records that say what is planned and that the run has not ended: what a killed run leaves.

    Returns:
        What a reader must be told of the records that were there before.

    Raises:
        InputError: the place cannot be written.
    """
    if out is None:
        return []
    document = assembled(accounts, session, (), 0.0)
    said = set_aside(Path(out), accounts.suite, document)
    write_state(Path(out), document)
    return said


def finish(
    accounts: Accounts, session: Session, records: Iterable[Record], seconds: float, out: str | None, notes: Sequence[str] = ()
) -> tuple[Records, list[Path]]:
    """Assemble the records and, where a directory was named, write ``SESSION.json`` and what people read of it.

    Args:
        notes: lines that a reader must see beside them.

    Raises:
        InputError: the place cannot be written.
    """
    document = assembled(accounts, session, records, seconds)
    if out is None:
        return document, []
    files = write_records(Path(out), document, notes)
    remove_earlier(Path(out), document)
    return document, files


def shown(document: Records, notes: Sequence[str] = (), color: bool = False, whole: bool = False) -> str:
    """A session's records for the terminal; whole: with every row of a long table."""
    return showing(document).terminal(document, notes, color, whole)


__all__ = ["Accounts", "assembled", "begin", "finish", "head", "set_aside", "shown", "withdraw"]
