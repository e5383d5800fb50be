"""Structures in batches of graphs, bounded by edges, and a whole model on all of them."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass

import torch
from ase import Atoms

from mpcheck._raised import Raised, attempt
from mpcheck.adapters.graph import make_graph
from mpcheck.adapters.load import LoadedModel
from mpcheck.policy.evaluation import Evaluation, Tensors, evaluate
from mpcheck.policy.judging.structures import Sets

BATCH_EDGES = 20_000
"""Of a batch: some hundred MB of a small model's tensors in float64."""


@dataclass(frozen=True)
class Batch:
    """A batch of graphs.

    Attributes:
        graph: float64 on the CPU. periodic: which structures are so in three directions, [structures]. places: which of all frames they are.
    """

    graph: Tensors
    periodic: torch.Tensor
    places: tuple[int, ...]


def graph_of(frames: Sequence[Atoms], model: LoadedModel) -> tuple[Tensors, torch.Tensor]:
    """Tensors of structures, and which are periodic in three directions."""
    graph = make_graph(frames, model.elements, model.r_max, model.heads, model.inputs)
    return graph, torch.tensor([bool(f.pbc.all()) for f in frames])


def batches(sets: Sets, model: LoadedModel, most_edges: int = BATCH_EDGES) -> Iterator[Batch]:
    """All frames in order: those of a set in batches of their own, each for itself where the set says so."""
    start = 0
    for one in sets.sets:
        counted = [int(graph_of([f], model)[0]["edge_index"].shape[1]) for f in one.frames]
        held: list[int] = []
        for n, count in enumerate(counted):
            if held and (one.alone or sum(counted[i] for i in held) + count > most_edges):
                yield _batch(one.frames, held, start, model)
                held = []
            held.append(n)
        if held:
            yield _batch(one.frames, held, start, model)
        start += len(one.frames)


def _batch(frames: Sequence[Atoms], chosen: Sequence[int], start: int, model: LoadedModel) -> Batch:
    graph, periodic = graph_of([frames[i] for i in chosen], model)
    return Batch(graph, periodic, tuple(start + i for i in chosen))


def joined(parts: Sequence[Evaluation]) -> Evaluation:
    """Evaluations one after another, as one of all their structures."""
    numbered, start = [], 0
    for part in parts:
        numbered.append(part.batch + start)
        start += len(part.energy)
    nodes = [p.nodes for p in parts if p.nodes is not None]
    return Evaluation(
        torch.cat([p.energy for p in parts]), torch.cat([p.interaction for p in parts]), torch.cat([p.forces for p in parts]),
        torch.cat([p.stress for p in parts]), torch.cat(numbered), torch.cat(nodes) if len(nodes) == len(parts) else None,
    )  # fmt: skip


def missing(batch: Batch) -> Evaluation:
    """What stands for a batch that could not be evaluated: nothing but NaN."""
    atoms, structures = batch.graph["batch"].cpu(), len(batch.places)
    nan = torch.full((structures,), torch.nan, dtype=torch.float64)
    return Evaluation(
        nan,
        nan.clone(),
        nan.new_full((len(atoms), 3), torch.nan),
        nan.new_full((structures, 3, 3), torch.nan),
        atoms,
        nan.new_full((len(atoms),), torch.nan),
    )


def evaluate_all(
    model: torch.nn.Module, every: Sequence[Batch], device: torch.device | str = "cpu", failed: Callable[[Batch, Raised], None] | None = None
) -> Evaluation:
    """A whole model on all batches.

    Args:
        failed: takes what the model raises, and NaN stand for that batch; without it, it is raised.

    Raises:
        BaseException: whatever the model raises, where nothing takes it.
    """
    parts = []
    for batch in every:
        found = attempt(lambda batch=batch: _evaluated(model, batch, device))  # type: ignore[misc]  # a loop's variable, bound
        if isinstance(found, Raised):
            if failed is None:
                raise found.error
            failed(batch, found)
            found = missing(batch)
        parts.append(found)
    return joined(parts)


def _evaluated(model: torch.nn.Module, batch: Batch, device: torch.device | str) -> Evaluation:
    """One batch's values.

    Raises:
        ValueError: not as many as it has structures and atoms. BaseException: whatever the model raises.
    """
    found = evaluate(model, batch.graph, device, batch.periodic)
    wanted = {n: t.shape for n, t in missing(batch).values().items()}
    if wrong := next((n for n, t in found.values().items() if t.shape != wanted[n]), ""):
        raise ValueError(f"the model gives {wrong} of shape {list(found.values()[wrong].shape)} where {list(wanted[wrong])} belongs")
    return found


def selected(evaluation: Evaluation, places: Sequence[int]) -> Evaluation:
    """Some of its structures, in the order given."""
    rows = [torch.nonzero(evaluation.batch == p).reshape(-1) for p in places]
    numbered = torch.cat([torch.full_like(r, i) for i, r in enumerate(rows)]) if rows else evaluation.batch[:0]
    chosen = torch.tensor(list(places), dtype=torch.long)
    atoms = torch.cat(rows) if rows else evaluation.batch[:0]
    return Evaluation(
        evaluation.energy[chosen], evaluation.interaction[chosen], evaluation.forces[atoms], evaluation.stress[chosen], numbered,
        None if evaluation.nodes is None else evaluation.nodes[atoms],
    )  # fmt: skip
