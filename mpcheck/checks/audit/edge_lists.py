"""Upstream's edges of a system against those of an independent search: the same ones, and the same vectors."""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import torch
from ase import Atoms

from mpcheck.adapters.execution import Tensors
from mpcheck.adapters.facts.radial import negligible
from mpcheck.adapters.steps import edge_vectors
from mpcheck.checks.physics.structure import DRAWS, Case, difference_ratio, limit_of
from mpcheck.records.record import Record
from mpcheck.reference.deviation import deviation, disturbed
from mpcheck.reference.noise import seed_of
from mpcheck.systems.neighbours import neighbours

Edge = tuple[int, int, int, int, int]
"""Sender, receiver, and the receiver's shift in units of the cell's vectors."""


@dataclass
class Difference:
    """How two lists of edges differ.

    Attributes:
        missing, additional: edges of one list only, with their lengths in Å. repeated: that upstream lists more than once.
        at_cutoff: of one list only, so near the cut-off that they add nothing.
        rows: of upstream's list, of the edges in both; vectors: theirs [edges, 3] by the other list, in float64.
    """

    missing: list[tuple[Edge, float]]
    additional: list[tuple[Edge, float]]
    repeated: list[Edge]
    at_cutoff: int
    rows: list[int]
    vectors: np.ndarray[tuple[int, ...], np.dtype[np.float64]]


def difference(frame: Atoms, edge_index: torch.Tensor, unit_shifts: torch.Tensor, r_max: float, nothing: float) -> Difference:
    """Compare a frame's list with one of our own.

    Args:
        edge_index: [2, edges], from 0 in the frame. unit_shifts: [edges, 3].
        nothing: see :func:`mpcheck.adapters.facts.radial.negligible`.
    """
    found = neighbours(frame, r_max)
    own = {
        (int(i), int(j), *map(int, s)): k for k, (i, j, s) in enumerate(zip(found.sender, found.receiver, found.shifts, strict=True))
    }  # fmt: skip
    theirs = [(i, j, *s) for i, j, s in zip(*edge_index.tolist(), unit_shifts.tolist(), strict=True)]
    counts = Counter(theirs)
    cell, places = np.asarray(frame.cell.array), frame.positions

    def length(edge: Edge) -> float:
        return float(np.linalg.norm(places[edge[1]] - places[edge[0]] + np.array(edge[2:]) @ cell))

    alone = [(edge, length(edge)) for edge in own if edge not in counts]  # type: ignore[arg-type]
    added = [(edge, length(edge)) for edge in counts if edge not in own]
    missing, additional = ([(e, d) for e, d in listed if not abs(1.0 - d / r_max) <= nothing] for listed in (alone, added))
    rows = [k for k, edge in enumerate(theirs) if edge in own]
    vectors = found.vectors[[own[theirs[k]] for k in rows]].astype(np.float64)
    at_cutoff = len(alone) + len(added) - len(missing) - len(additional)
    return Difference(missing, additional, [e for e, n in counts.items() if n > 1], at_cutoff, rows, vectors)  # type: ignore[arg-type]


def compare_edges(case: Case, frames: Sequence[Atoms], graph: Tensors) -> list[Record]:
    """The edges of a batch as upstream lists them, and their vectors."""
    r_max, nothing = case.context.model.r_max, negligible(case.model)
    owner = graph["batch"][graph["edge_index"][0]]
    wrong: list[str] = []
    rows, vectors, tally = [], [], Counter[str]()
    for number, frame in enumerate(frames):
        mine = torch.nonzero(owner == number).flatten()
        found = difference(frame, graph["edge_index"][:, mine] - graph["ptr"][number], graph["unit_shifts"][mine], r_max, nothing)
        rows.append(mine[found.rows])
        vectors.append(found.vectors)
        tally.update(edges=len(mine), missing=len(found.missing), additional=len(found.additional), repeated=len(found.repeated))
        tally.update(at_cutoff=found.at_cutoff)
        wrong += [f"frame {number}: {said}" for said in said(found)]
    reason = "; ".join(wrong[:3]) + (f"; and {len(wrong) - 3} more" if len(wrong) > 3 else "")
    metrics = {f"edges_{n}" if n != "edges" else n: float(k) for n, k in tally.items()}
    listed = case.finding(math.inf if wrong else 0.0, variant="edges", reason=reason, metrics=metrics)
    return [listed, _vectors(case, graph, torch.cat(rows), torch.from_numpy(np.concatenate(vectors)))]


def said(found: Difference) -> list[str]:
    """What is wrong with a list, in words."""
    lines = []
    for what, listed in (("missing", found.missing), ("additional", found.additional)):
        if listed:
            edge, length = min(listed, key=lambda one: one[1])
            lines.append(f"{len(listed)} edges are {what}, the shortest {_shown(edge)} of {length:.4g} Å")
    if found.repeated:
        lines.append(f"{len(found.repeated)} edges are listed more than once, the first {_shown(found.repeated[0])}")
    return lines


def _shown(edge: Edge) -> str:
    return f"{edge[0]} to {edge[1]} shifted by {' '.join(map(str, edge[2:]))}"


def _vectors(case: Case, graph: Tensors, rows: torch.Tensor, expected: torch.Tensor) -> Record:
    """Vectors of the edges that both lists have, in units of their own rounding: the shift's product with the cell, a difference and a sum."""
    cells = graph["cell"].view(-1, 3, 3)[graph["batch"][graph["edge_index"][0]]]

    def vectors() -> Tensors:
        shifts = torch.einsum("ei,eij->ej", graph["unit_shifts"], cells)
        return {"vectors": edge_vectors(graph["positions"], graph["edge_index"], shifts)[0][rows]}

    got = edge_vectors(graph["positions"], graph["edge_index"], graph["shifts"])[0][rows]
    seeds = [seed_of("graph", case.context.seed, case.key.system, draw) for draw in range(DRAWS)]
    scale = deviation(disturbed(vectors), vectors(), seeds)["vectors"]
    off = (got - expected).norm(dim=1)
    worst = int(off.nan_to_num(nan=math.inf).argmax()) if len(off) else 0
    where = f"edge {int(rows[worst])}" if len(off) else ""
    reason = f"the vector of {where} is off by {float(off[worst]) if len(off) else 0.0:.3g} Å"
    metrics = {"edges": float(len(rows)), "largest_A": float(off.max()) if len(off) else 0.0}
    return case.finding(
        difference_ratio(got, expected, scale), limit=limit_of(case, got.numel()), variant="vectors", reason=reason, worst=where, metrics=metrics
    )
