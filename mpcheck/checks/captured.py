"""Recorded calls, before blocks are judged on them: is the graph that the script made the one that its structures ask for?

Blocks are judged on the edges as they were given, so that a driver that forgets some leaves every block green. Here its edges are compared with
an independent search, its shifts with the cell, and what its blocks were given with what the float64 model computes from the same graph.
"""

from __future__ import annotations

from collections import Counter
from dataclasses import replace
from typing import Any

import torch

from mpcheck._names import CAPTURED, REFERENCE_BACKEND
from mpcheck._torch_state import neutral
from mpcheck.adapters.facts.radial import negligible
from mpcheck.checks.audit.edge_lists import Difference, difference, said
from mpcheck.formats import FLOAT64
from mpcheck.judge.context import Context
from mpcheck.recording.calls import Recorder
from mpcheck.recording.hooks import hooked
from mpcheck.records.detail import figures
from mpcheck.records.record import Record
from mpcheck.reference.cut import MOST_EDGES as MOST_RUN
from mpcheck.systems.given import Given, Graph
from mpcheck.systems.recorded import BlockInput

GRAPH = "graph"
MOST_EDGES = 300_000
"""That are compared one by one; some seconds."""
MOST_CALLS = 4
"""On whose graphs the float64 model is run again."""
ROUNDINGS = 8.0
"""Of the type that was given: positions, cell and shift each bring some to a shift or to a length."""


@neutral()
def captured(context: Context, system: str) -> Record:
    """One record of a system of recorded calls: its edges and shifts, with what is to be said of its blocks' inputs.

    Raises:
        BaseException: what the float64 model raises on such a graph.
    """
    structures = context.systems[system]
    given, graph = structures.given, structures.graph
    assert given is not None and graph is not None, f"{system} is no system of recorded calls"
    wrong, tally, compared = _graphs(context, system, given)
    inputs = _inputs(context, system, given)
    wrong += [f"{name} was given numbers that are not finite" for name in inputs.pop("not_finite")]
    metrics: dict[str, Any] = {**{name: float(count) for name, count in tally.items()}, **inputs, "calls": float(compared)}
    reason = "; ".join(wrong[:3]) + (f"; and {len(wrong) - 3} more" if len(wrong) > 3 else "")
    notes = [f"edges of {compared} of {len(given.calls)} calls were compared"] if compared < len(given.calls) else []
    return Record(
        check=CAPTURED, subject=GRAPH, backend=REFERENCE_BACKEND, format=FLOAT64.name, system=system, verdict="fail" if wrong else "pass",
        reason=reason, note="; ".join([*notes, *_notes(given, tally, inputs)]), detail=figures(metrics),
    )  # fmt: skip


def _graphs(context: Context, system: str, given: Given) -> tuple[list[str], Counter[str], int]:
    """What is wrong with the calls' graphs, how many edges are which, and how many calls were looked at."""
    r_max, nothing = context.model.r_max, negligible(context.model.module)
    wrong, tally, first = list[str](), Counter[str](), 0
    for done, one in enumerate(given.calls):
        edges = one.graph["edge_index"].shape[1]
        if done and tally["edges"] + edges > MOST_EDGES:
            return wrong, tally, done
        owner = one.graph["batch"][one.graph["edge_index"][0]]
        unit = torch.finfo(one.dtype).eps / 2
        reach = float(max(one.graph["positions"].abs().max(), one.graph["shifts"].abs().max() if edges else 0.0))
        near = max(nothing, ROUNDINGS * unit * reach / r_max)
        for number, frame in enumerate(given.frames[first : first + one.call.structures]):
            mine = torch.nonzero(owner == number).flatten()
            index, jumps = one.graph["edge_index"][:, mine] - one.graph["ptr"][number], one.graph["unit_shifts"][mine].round().long()
            found = difference(frame, index, jumps, r_max, near)
            beyond = [edge for edge in found.additional if edge[1] > r_max]  # a skin: the model's envelope makes nothing of them
            found.additional = [edge for edge in found.additional if edge[1] <= r_max]
            where = f"call {one.number}" + (f" structure {number}" if one.call.structures > 1 else "")
            wrong += [f"{where}: {text}" for text in (*said(found), *_one_sided(found), *_shifts(one.graph, mine, number, unit))]
            tally.update(edges=len(mine), edges_missing=len(found.missing), edges_repeated=len(found.repeated), edges_beyond=len(beyond))
        first += one.call.structures
    return wrong, tally, len(given.calls)


def _one_sided(found: Difference) -> list[str]:
    """Edges whose other direction is there: a list of halves, as other potentials take it."""
    missing = {edge for edge, _ in found.missing}
    halves = sum((e[1], e[0], -e[2], -e[3], -e[4]) not in missing for e in missing)
    return [f"{halves} of the missing edges are listed from their other end only"] if halves else []


def _shifts(graph: Graph, mine: torch.Tensor, number: int, unit: float) -> list[str]:
    """Shifts in Å that are not so many vectors of the cell."""
    if not len(mine):
        return []
    cell = graph["cell"][3 * number : 3 * number + 3]
    jumps = graph["unit_shifts"][mine]
    off = (graph["shifts"][mine] - jumps @ cell).abs().amax(dim=1)
    allowed = ROUNDINGS * unit * (jumps.abs() @ cell.abs()).amax(dim=1)
    bad = off > allowed
    if not bool(bad.any()):
        return []
    return [f"{int(bad.sum())} shifts are not their unit_shifts times the cell, the worst by {float(off.max()):.3g} Å"]


def _inputs(context: Context, system: str, given: Given) -> dict[str, Any]:
    """By how much inputs of blocks, as they were given, differ from those of the float64 model on the same graph."""
    backend, model, taken = context.reference_backend, context.model, context.systems[system].frames
    worst, place, compared, matched, first = 0.0, "", 0, 0, 0
    infinite: dict[str, None] = {}
    for one in given.calls:
        own, first = taken[first : first + one.call.structures], first + one.call.structures
        infinite |= {f"call {one.number}: {i.block} ({i.argument})": None for i in one.call.inputs if i.rms is None}
        if compared >= MOST_CALLS or not one.call.inputs or one.graph["edge_index"].shape[1] > MOST_RUN:
            continue
        graph = replace(given, calls=(one,)).graph(model.elements, model.heads, model.inputs, own)
        recorder = Recorder(backend.model, every=1, limit=1, most_bytes=1 << 40)
        with hooked(backend.model, backend.model, recorder), torch.no_grad():
            backend.model({k: v.to(backend.device, copy=True) for k, v in graph.items()}, compute_force=False)
        ours = {(i.block, i.argument, i.numbers): i for i in recorder.stored[0][0].inputs}
        for theirs in one.call.inputs:
            mine = ours.get((theirs.block, theirs.argument, theirs.numbers))
            matched += mine is not None
            if mine is not None and (off := _off(theirs, mine)) > worst:
                worst, place = off, f"{theirs.argument} of {theirs.block} in call {one.number}"
        compared += 1
    counts = {"inputs_compared_in_calls": float(compared), "inputs_compared": float(matched)}
    return {**counts, "inputs_differ_by": worst, "inputs_differ_most": place, "not_finite": [*infinite]}


def _off(theirs: BlockInput, ours: BlockInput) -> float:
    """The larger relative difference of their root mean squares and of their largest values."""
    pairs = [(theirs.rms, ours.rms), (theirs.largest, ours.largest)]
    return max((abs(a - b) / abs(b) for a, b in pairs if a is not None and b), default=0.0)


def _notes(given: Given, tally: Counter[str], inputs: dict[str, Any]) -> list[str]:
    notes = []
    if tally["edges_beyond"]:
        notes.append(f"{tally['edges_beyond']} edges are longer than the cut-off, which makes nothing of them")
    if inputs["inputs_compared"]:
        most = f", most in {inputs['inputs_differ_most']}" if inputs["inputs_differ_most"] else ""
        notes.append(f"blocks were given what the float64 model computes, to {inputs['inputs_differ_by']:.1g}{most}")
    kinds = sorted({str(one.dtype).removeprefix("torch.") for one in given.calls})
    return [*notes, f"positions were given in {', '.join(kinds)}"]
