"""Dead parameters: weights that want a gradient and never get one, though outputs depend on them, or though outputs should.

A weight whose gradient is exactly zero on several structures, by several random functions of all outputs, is displaced. If outputs
move, its gradient is lost on the way. If they do not, nothing uses it, which an architecture may leave so (weights of features that are
zero for every structure, or that nothing reads): :mod:`mpcheck.adapters.facts.reach` says from its irreps whether this one does.
Weights are moved away from where they are first: a layer that begins at zero keeps the gradients of all before it.
"""

from __future__ import annotations

import contextlib
import math
from collections.abc import Iterator, Mapping

import torch
from ase import Atoms

from mpcheck._text import listed
from mpcheck.adapters.execution import Tensors
from mpcheck.adapters.facts.paths import Misplaced, misplaced
from mpcheck.adapters.facts.reach import between_heads, unused
from mpcheck.checks.physics.structure import Case, rms
from mpcheck.checks.uses.asking import (
    GRADIENT,
    LOSSES,
    STRAINED,
    Difference,
    differences,
    flags_of,
    generic,
    heads_of,
    learned,
    outputs,
    scales,
    structures,
    trainable,
    weight,
)
from mpcheck.records.record import Record

AWAY = 0.3  # of a parameter's size
STEP = 1e-3  # of it: small enough for a unit that is switched off to stay so
SMALL = 0.05  # of it, at random
FUNCTIONS = 2
MOST_CLASSES = 32  # of charge, spin and the like that are in one batch: some seconds


def every_element(case: Case) -> list[Atoms]:
    """Crystals such that each element is in one, and each head and each class of an embedded number gets one, up to ``MOST_CLASSES``."""
    elements, (crystal, *_) = case.context.model.elements, structures(case)
    size = len(crystal)
    classes = [e.most - e.least + 1 for e in case.context.model.inputs if e.least is not None and e.most is not None and not e.per_atom]
    count = max(2, math.ceil(len(elements) / size), len(heads_of(case)), min(MOST_CLASSES, max(classes, default=0)))
    made = []
    for i in range(count):
        one = crystal.copy()
        one.symbols = [elements[(i * size + j) % len(elements)] for j in range(size)]
        one.set_cell(crystal.cell * (1 + 0.03 * (i % 3)), scale_atoms=True)
        made.append(one)
    return made


@contextlib.contextmanager
def displaced(parameters: Mapping[str, torch.nn.Parameter], by: Mapping[str, torch.Tensor]) -> Iterator[None]:
    """Parameters moved, and put back as they were."""
    saved = {n: parameters[n].data for n in by}
    try:
        for name, shift in by.items():
            parameters[name].data = saved[name] + shift
        yield
    finally:
        for name, value in saved.items():
            parameters[name].data = value


def dead_parameters(case: Case) -> list[Record]:
    """Gradients that are lost; weights that nothing uses; of a contraction that takes out the wrong weights, these."""
    parameters = trainable(case.model)
    if not parameters:
        return [case.finding(None, verdict="unsupported", reason="no parameter of the model wants a gradient")]
    graph = generic(case, *every_element(case))
    sizes = {n: rms(p.detach()) or 1.0 for n, p in parameters.items()}
    away = {n: weight(p, "away", n) * (AWAY * sizes[n]) for n, p in parameters.items()}
    with displaced(parameters, away):
        without = _without(case, graph, parameters)
        shifts = {n: weight(mask, "shift", n).to(parameters[n]) * mask * (STEP * sizes[n]) for n, mask in without.items()}
        moving = _moving(case, graph, parameters, shifts) if shifts else {}
    wrong = misplaced(case.model)
    explained = {name for found in wrong for name in found.idle}
    idle = {n: m for n, m in without.items() if n not in moving and n not in explained}
    if idle:
        # units that are switched off where weights are large are not where they are small
        small = {n: weight(p, "small", n) * (SMALL * sizes[n]) - p.detach() for n, p in parameters.items()}
        with displaced(parameters, small):
            idle = {n: m & still[n] for still in (_without(case, graph, parameters),) for n, m in idle.items() if n in still}
        idle = {n: m for n, m in idle.items() if bool(m.any())}
    metrics: dict[str, float | str | bool] = {
        "weights": float(sum(p.numel() for p in parameters.values())),
        "without_gradient": float(sum(int(m.sum()) for m in without.values())),
    }
    return [_lost(case, moving, without, metrics), _idle(case, list(idle), idle, metrics), *([_wrong(case, wrong)] if wrong else [])]


def _without(case: Case, graph: Tensors, parameters: Mapping[str, torch.nn.Parameter]) -> Tensors:
    """Which elements of which parameters have a gradient of zero, as masks; but for those between heads, which have no effect,
    and those of classes that no structure has.
    """
    zero = {n: torch.ones_like(p, dtype=torch.bool) for n, p in parameters.items()}
    for function in range(FUNCTIONS):
        found = learned(case.model, graph, function)
        for name, mask in zero.items():
            mask &= found[GRADIENT + name] == 0
    for name, absent in _absent(case, graph, parameters).items():
        zero[name] &= ~absent
    reference = case.context.reference_backend.model
    for name in zero.keys() & dict(reference.named_parameters()).keys():
        if (between := between_heads(reference, name)) is not None and between.numel() == zero[name].numel():
            zero[name] &= ~between.reshape(zero[name].shape)
    return {n: m for n, m in zero.items() if bool(m.any())}


def _absent(case: Case, graph: Tensors, parameters: Mapping[str, torch.nn.Parameter]) -> Tensors:
    """Rows of tables of embedded charges, spins and the like whose class no structure of the batch has, as masks by parameter."""
    found: Tensors = {}
    for entry in case.context.model.inputs:
        if entry.least is None or entry.most is None or entry.name not in graph:
            continue
        for name in (n for n in parameters if n.endswith(f"embedders.{entry.name}.weight")):
            absent = torch.ones_like(parameters[name], dtype=torch.bool)
            absent[graph[entry.name].flatten().long() - entry.least] = False
            found[name] = absent
    return found


def _moving(case: Case, graph: Tensors, parameters: Mapping[str, torch.nn.Parameter], shifts: Tensors) -> dict[str, Difference]:
    """The parameters whose displacement changes an output beyond rounding, with the output that it changes most.

    Of outputs that training has a loss of: features that a model keeps without reading them (``keep_last_layer_irreps``) are no loss.
    """
    flags = flags_of(case.model, **STRAINED)
    base = {n: v for n, v in outputs(case.model, graph, **flags).items() if n in LOSSES}
    scale = scales(case, lambda: outputs(case.context.reference_backend.model, graph, **flags), "dead")

    def effect(by: Mapping[str, torch.Tensor]) -> Difference:
        with displaced(parameters, by):
            return max(differences(case, outputs(case.model, graph, **flags), base, scale), key=lambda r: r.share)

    if effect(shifts).share <= 1.0:
        return {}
    alone = {name: effect({name: shift}) for name, shift in shifts.items()}
    return {name: seen for name, seen in alone.items() if not seen.share <= 1.0}


def _part(mask: torch.Tensor) -> str:
    return "" if bool(mask.all()) else f"{int(mask.sum())} of {mask.numel()} elements of "


def _lost(case: Case, moving: Mapping[str, Difference], without: Tensors, metrics: Mapping[str, float | str | bool]) -> Record:
    if not moving:
        return case.finding(0.0, variant="gradient", metrics=metrics)
    worst = max(moving, key=lambda n: moving[n].share)
    others = [n for n in moving if n != worst]
    reason = f"{_part(without[worst])}{worst}: the gradient is zero on every structure, though {moving[worst].what} depends on it"
    reason += f"; so it is with {listed(others, 4)}" if others else ""
    return case.finding(None, variant="gradient", worst=worst, reason=reason, metrics=metrics)


def _idle(case: Case, idle: list[str], without: Tensors, metrics: Mapping[str, float | str | bool]) -> Record:
    """Weights that nothing uses, where the architecture has a use for all."""
    if not idle:
        return case.finding(0.0, variant="use", metrics=metrics)
    reason = f"{_part(without[idle[0]])}{idle[0]}: no output depends on it" + (f", nor on {listed(idle[1:], 4)}" if idle[1:] else "")
    reads_scalars = "energy" in outputs(case.model, generic(case), **flags_of(case.model, compute_force=False))
    left = unused(case.context.reference_backend.model) if reads_scalars else None
    if left == [] and len(heads_of(case)) == len(case.context.model.heads):
        return case.finding(
            None, variant="use", worst=idle[0], reason=f"{reason}, though the architecture makes and reads every irrep", metrics=metrics
        )
    why = f"as the architecture leaves it: {listed(left, 2)}" if left else "whether the architecture has a use for it is not known"
    return case.finding(0.0 if left else None, variant="use", verdict="pass" if left else "inconclusive", reason=f"{reason}; {why}", metrics=metrics)


def _wrong(case: Case, found: list[Misplaced]) -> Record:
    """Weights that are taken out though a path leads through them: not to be seen by any gradient, for they want none."""
    first, lost, idle = found[0], [n for f in found for n in f.lost], [n for f in found for n in f.idle]
    how = "orders counted from the wrong end" if all(f.reversed for f in found) else "not those without a path"
    reason = f"{how}: " + "; ".join(filter(None, [
        f"{listed(lost, 4)}: zero and never trained, though a path leads through it" if lost else "",
        f"{listed(idle, 4)}: trained, though no output depends on it" if idle else "",
    ]))  # fmt: skip
    return case.finding(None, variant="paths", worst=(first.lost or first.idle)[0], reason=reason)
