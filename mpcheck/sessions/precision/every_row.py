"""Every row of blocks that are judged on a sample, on all of a structure that there is memory for."""

from __future__ import annotations

from mpcheck._raised import Raised, attempt_unless_refused
from mpcheck._torch_state import neutral
from mpcheck._unsupported import Unsupported
from mpcheck.checks.every_row import EveryRow, judged
from mpcheck.judge.refusing import refused
from mpcheck.records.record import Planned, Record
from mpcheck.reference.cut import Graph
from mpcheck.sessions.room import fits, part_of
from mpcheck.sessions.run import Session


def _judged(session: Session, system: str) -> list[str]:
    """Blocks of the run on a system that may have rows that no sample has."""
    if not session.library(system).sampled():
        return []
    chosen = {block.name for block in session.blocks(system)}
    return [name for name in judged(session.library(system).blocks()) if name in chosen]


def sampled_systems(session: Session) -> list[str]:
    """Systems on which some block of the run is judged in part."""
    found = []
    for system in session.systems:
        blocks = attempt_unless_refused(lambda system=system: _judged(session, system))  # type: ignore[misc]  # a loop's variable, bound
        if blocks and not isinstance(blocks, Raised):
            found.append(system)
    return found


@neutral()
def every_row_records(session: Session, planned: Planned) -> list[Record]:
    """A record for each block, backend and format.

    Raises:
        BaseException: what the float64 model raises.
    """
    system, note = planned.system, ""
    graph: Graph = session.graph(system)
    if not fits(session, system):
        graph = part_of(session, system)
        note = f"a part of it with {len(graph['positions']):,} atoms, since all of it does not fit into memory"
    names = _judged(session, system)
    check = EveryRow(
        session.check(system), graph, names, session.formats, session.backend_names, lambda text: session.options.progress(f"{system}: {text}")
    )
    records = check.run({"system": system, "note": note})
    about = {**planned.about, "note": note}
    return records or [refused(about, Unsupported("not-applicable", "none of its blocks has rows of atoms or of edges"))]
