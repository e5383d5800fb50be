"""The graph, which every other check takes as given: whether upstream's edges are all there, once, and whatever the cell.

Upstream searches with matscipy in the cell as it is given. Here its edges are compared with those of ASE's search in the reduced cell, and
energies of a crystal with those of the same crystal in other cells: first in cells smaller than the cut-off, in which an atom is its own
neighbour several times over, then in the run's systems.
"""

from __future__ import annotations

import numpy as np
from ase import Atoms

from mpcheck._names import CAPTURED, REFERENCE_BACKEND
from mpcheck._raised import Raised, attempt
from mpcheck._unsupported import Unsupported
from mpcheck.checks.audit.edge_lists import compare_edges
from mpcheck.checks.audit.equivalent_cells import compare_cells
from mpcheck.checks.physics.structure import Case
from mpcheck.formats import FLOAT64
from mpcheck.judge.context import Context, Inspection, Key, timed
from mpcheck.judge.refusing import refused
from mpcheck.records.record import Record

NAME = "graph"
EDGES, CELLS, SMALL = "neighbours", "cells", "small-cells"
MOST_EDGES = 300_000  # of a system whose edges are compared one by one: some seconds
MOST_ATOMS = 64  # of a frame whose energies in other cells are taken
MOST_FRAMES = 4


def small_cells(context: Context) -> list[Atoms]:
    """Structures of the model's elements in cells smaller than the cut-off, of every periodicity, none of them at right angles."""
    elements, r_max = context.model.elements, context.model.r_max
    vectors = np.array([[0.62, 0.05, -0.04], [0.11, 0.58, 0.06], [-0.17, 0.09, 0.71]]) * r_max
    places = np.array([[0.1, 0.2, 0.3], [0.62, 0.55, 0.71], [0.55, 0.1, 0.85]]) @ vectors

    def frame(atoms: int, *pbc: bool) -> Atoms:
        return Atoms([elements[i % len(elements)] for i in range(atoms)], places[:atoms] - 0.4 * r_max, cell=vectors, pbc=pbc)

    return [
        frame(1, True, True, True),
        frame(3, True, True, True),
        frame(2, True, True, False),
        frame(2, True, False, True),
        frame(3, False, True, False),
    ]


def keys(context: Context) -> list[Key]:
    """Cells smaller than the cut-off, then every system."""
    of = [(SMALL, ""), *((subject, system) for system in context.systems for subject in (EDGES, CELLS))]
    return [Key(NAME, subject, REFERENCE_BACKEND, FLOAT64.name, system) for subject, system in of]


@timed
def run(context: Context, key: Key) -> list[Record]:
    """One system's edges, or its energies in other cells; both of the small cells."""
    backend = context.reference_backend  # the edges are upstream's own, whatever computes with them
    case = Case(context, key, backend.model, backend.device)
    found = attempt(lambda: _records(case))
    if isinstance(found, Raised):
        return [case.finding(None, reason=f"raised {found.text}")]
    return [refused(key.about, found)] if isinstance(found, Unsupported) else found


def _records(case: Case) -> list[Record] | Unsupported:
    context, system = case.context, case.key.system
    if case.key.subject == SMALL:
        frames = small_cells(context)
        return [*compare_edges(case, frames, {k: v.cpu() for k, v in case.graph(*frames).items()}), *compare_cells(case, frames)]
    frames = list(context.systems[system].frames)
    if case.key.subject == EDGES:
        if context.systems[system].given is not None:
            return Unsupported("not-applicable", f"recorded edges are a script's own; they are compared by `mpcheck run` (check {CAPTURED})")
        graph = context.graph(system)
        if (count := int(graph["edge_index"].shape[1])) > MOST_EDGES:
            return Unsupported("not-applicable", f"{count:,} edges; they are compared one by one up to {MOST_EDGES:,}")
        return compare_edges(case, frames, graph)
    fitting = [frame for frame in sorted(frames, key=lambda f: not f.pbc.any()) if len(frame) <= MOST_ATOMS][:MOST_FRAMES]
    if not fitting:
        return Unsupported("not-applicable", f"no frame of at most {MOST_ATOMS} atoms; energies in other cells are taken of such")
    return compare_cells(case, fitting)


INSPECTION = Inspection(NAME, keys, run)
