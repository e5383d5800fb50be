"""Whether a structure fits into memory, asked before anything is computed of it: a run that is killed says nothing."""

from __future__ import annotations

import math

from mpcheck._errors import InputError
from mpcheck._memory import exhausted, free_bytes, size_of, told
from mpcheck._names import ALL
from mpcheck._raised import Raised, attempt
from mpcheck._torch_state import neutral
from mpcheck.adapters.footprint import forces_bytes
from mpcheck.reference.cut import MOST_EDGES, Graph, cut
from mpcheck.sessions.run import Session

PARTS = (MOST_EDGES // 8, MOST_EDGES // 2)
"""Edges of the parts that are computed to tell what the whole takes."""


def room(session: Session) -> float:
    """Bytes that a run may take: as many as the user allows, or as there are."""
    limit = session.options.memory_limit
    return size_of(limit, "--memory-limit") if limit else free_bytes()


@neutral()
def needed(session: Session, graph: Graph) -> float:
    """Bytes that energies and forces of a graph take in float64, to a factor of two; 0 of one that is small, or on a device of its own; infinite
    where not even a part of it fits.
    """
    edges = int(graph["edge_index"].shape[1])
    if edges <= PARTS[-1] or session.device.type != "cpu":
        return 0.0
    parts = [cut(graph, session.seed, most) for most in PARTS]
    size = attempt(lambda: forces_bytes(session.reference_backend.model, parts, len(graph["positions"]), edges))
    if not isinstance(size, Raised):
        return size
    if exhausted(size.error):
        return math.inf
    raise size.error


def part_of(session: Session, system: str) -> Graph:
    """The part of a system that blocks are judged on."""
    graph = session.graph(system)
    return graph if session.options.rows == ALL else cut(graph, session.seed)


def fits(session: Session, system: str) -> bool:
    """Whether energies and forces of all of a system can be computed."""
    return needed(session, session.graph(system)) <= room(session)


def require_room(session: Session, blocks_alone: bool = False) -> None:
    """Refuse a run whose structures do not fit.

    Args:
        blocks_alone: whether it is blocks that are judged, on a part of each.

    Raises:
        InputError: what it would take, what there is, and what to do.
    """
    for system in session.systems:
        graph = part_of(session, system) if blocks_alone else session.graph(system)
        size, there = needed(session, graph), room(session)
        session.needs = max(session.needs, size)
        if size > there:
            counts = f"{len(graph['positions']):,} atoms, {graph['edge_index'].shape[1]:,} edges"
            tries = f"; --memory-limit {told(2 * size).replace(' ', '')} tries it all the same" if size < math.inf else ""
            takes = f"take about {told(size)}" if size < math.inf else "take more"
            raise InputError(
                f"system {system} ({counts}): energies and forces {takes} in float64, and {told(there)} are to be had; "
                f"give a smaller cell with --system, or more memory{tries}"
            )
