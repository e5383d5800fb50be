"""Edges exactly along axes, diagonals and in coordinate planes: derivatives are finite there and right.

Spherical harmonics written with sqrt(x^2 + y^2), angles, or kernels that leave out products with zero are right everywhere else.
"""

from __future__ import annotations

import math
from collections.abc import Iterator

import torch

from mpcheck._unsupported import Unsupported
from mpcheck.adapters.backends.protocol import BackendModel
from mpcheck.adapters.execution import Tensors
from mpcheck.checks.physics.differences import BlockFunction, BlockRatio, compared, rounding, worst_of
from mpcheck.checks.physics.forces import derivatives
from mpcheck.checks.physics.small import TILT, CalledBlock, blocks, frames, graph_of
from mpcheck.checks.physics.structure import Case, evaluate, noise
from mpcheck.formats import FLOAT64
from mpcheck.records.record import Record
from mpcheck.reference.noise import seed_of


def labels(vectors: torch.Tensor) -> list[str]:
    """What is special about the direction of each vector [edges, 3]; empty where nothing is."""
    names = []
    for row in vectors.tolist():
        size = max(map(abs, row))
        tiny = [abs(x) <= 100 * TILT * size for x in row]
        if row.count(0.0) == 2:
            axis = max(range(3), key=lambda i: abs(row[i]))
            names.append(f"along {'+' if row[axis] > 0 else '-'}{'xyz'[axis]}")
        elif tiny.count(True) == 2:
            names.append("nearly along an axis")
        elif row.count(0.0) == 1:
            names.append(f"in the {''.join(c for c, x in zip('xyz', row, strict=True) if x)} plane")
        else:
            names.append("along a body diagonal" if min(map(abs, row)) > size * (1 - 1e-9) else "")
    return names


def directions(case: Case) -> list[Record]:
    """Every leaf and step, and the whole model's forces, on structures with atoms on axes and diagonals.

    Analytic first derivatives against numerical ones along random directions: of each block's outputs, of the energy.
    """
    graph = graph_of(case)
    backend = case.context.backend(case.key.backend)
    assert not isinstance(backend, Unsupported), "checked before"
    names = labels(graph["positions"][graph["edge_index"][1]] - graph["positions"][graph["edge_index"][0]] + graph["shifts"])
    judged = [_block(case, backend, seen, names) for seen in blocks(case, backend)]
    worst, reason = worst_of(judged)
    metrics: dict[str, float | str | bool] = {"blocks": float(len(judged)), "edges": float(len(names))}
    records = [case.finding(worst.ratio, variant="blocks", reason=reason, worst=worst.block, metrics=metrics, block=worst.block)]
    guilty = worst.block if records[0].verdict == "fail" else ""
    return records + [_forces(case, name, guilty, len(judged)) for name in frames(case)]


def _block(case: Case, backend: BackendModel, seen: CalledBlock, names: list[str]) -> BlockRatio:
    """The derivative along one direction of all arguments; where it fails, which edges do it."""
    name, sigma = seen.block.name, rounding(case.context, seen, 1, case.context.seed)
    with backend.prepared(seen.block, FLOAT64):
        function = BlockFunction(backend, seen, case.context.seed)
        derivative = function.derivative(1)
        if infinite := _infinite(derivative.by, names):
            return BlockRatio(name, math.inf, infinite)
        direction = function.direction(1)
        whole = compared(function, 1, derivative, direction, sigma)
        if whole.ratio <= 1.0:
            return BlockRatio(name, whole.ratio)
        lost = [n for n in direction if n not in derivative.by and compared(function, 1, derivative, {n: direction[n]}, sigma).ratio > 1.0]
        if lost:
            return BlockRatio(name, whole.ratio, f"its gradient by {', '.join(lost)} is missing (None), and its values depend on it")
        said = f"its gradient is {whole.analytic:.9g} instead of {whole.numeric:.9g} along a random direction"
        guilty = [label for label, part in _parts(direction, names) if compared(function, 1, derivative, part, sigma).ratio > 1.0]
        where = ", ".join(label or "of any other direction" for label in guilty)
        return BlockRatio(name, whole.ratio, f"{said}, by edges {where}" if guilty else said)


def _infinite(gradients: Tensors, names: list[str]) -> str:
    """Which gradient is not finite, and for which edges, where it has a row for each; empty where all are finite."""
    lost = {n: ~torch.isfinite(g) for n, g in gradients.items() if not bool(torch.isfinite(g).all())}
    for argument, where in lost.items():
        if where.dim() and len(where) == len(names):
            rows = where.reshape(len(where), -1).any(1).nonzero().flatten().tolist()
            kinds = ", ".join(sorted({names[i] or "of any direction" for i in rows}))
            return f"its gradient by {argument} is not finite for {len(rows)} edges {kinds}"
    return f"its gradient by {next(iter(lost))} is not finite" if lost else ""


def _parts(direction: Tensors, names: list[str]) -> Iterator[tuple[str, Tensors]]:
    """A direction's parts on edges of each kind."""
    for label in sorted(set(names)):
        rows = torch.tensor([n == label for n in names])
        part = {}
        for name, v in direction.items():
            if v.dim() and len(v) == len(names):
                part[name] = v * rows.to(v.device).reshape(-1, *[1] * (v.dim() - 1))
        yield label, part


def _forces(case: Case, name: str, guilty: str, blocks: int) -> Record:
    """Forces of one structure against differences of its energy, along a random direction of all atoms.

    Args:
        guilty: the block whose derivative is wrong; empty where all ``blocks`` passed.
    """
    graph = case.graph(frames(case)[name])
    forces = evaluate(case.model, graph)["forces"]
    generator = torch.Generator().manual_seed(seed_of("directions", case.context.seed, name))
    direction = torch.randn(forces.shape, dtype=torch.float64, generator=generator).to(case.device)
    direction /= direction.norm()
    numeric = derivatives(case.model, graph, [direction], False, float(noise(case, graph, f"directions, {name}")["energy"].max()))
    analytic = -float((forces * direction).sum())
    ratio = abs(analytic - float(numeric.value[0])) / float(numeric.allowed[0])
    lost = int((~torch.isfinite(forces)).sum())
    said = (
        f"{lost} of {forces.numel()} are not finite"
        if lost
        else f"{analytic:.9g} instead of {float(numeric.value[0]):.9g} eV/Å along a random direction"
    )
    reason = f"{guilty or f'model (all {blocks} blocks passed)'}: forces ({name}): {said}"
    return case.finding(ratio, variant=name, reason=reason, worst=guilty or "model", block=guilty, metrics={"nonfinite_forces": float(lost)})
