"""Asking a whole model for all that it gives: outputs, and the gradients that training takes; how far two answers are apart."""

from __future__ import annotations

import inspect
import math
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any
from weakref import WeakKeyDictionary

import torch
from ase import Atoms

from mpcheck.adapters.execution import Tensors
from mpcheck.adapters.upstream import quiet
from mpcheck.checks.physics.graph_strides import frames_of
from mpcheck.checks.physics.heads import varied
from mpcheck.checks.physics.inputs import orderable
from mpcheck.checks.physics.structure import DRAWS, Case, Values, difference_ratio, limit_of, rms
from mpcheck.judge.compared import Compared
from mpcheck.judge.context import Context
from mpcheck.records.record import Record
from mpcheck.reference.deviation import deviation, disturbed
from mpcheck.reference.noise import seed_of

STRAINED = {"compute_force": True, "compute_virials": True, "compute_stress": True}
PARTS = {"compute_edge_forces": True, "compute_atomic_stresses": True}
GRADIENT = "gradient by "


def flags_of(model: torch.nn.Module, **flags: bool) -> dict[str, bool]:
    """Those flags that a model's forward takes; none that ask for derivatives of an energy that it lacks."""
    known = inspect.signature(model.forward).parameters
    if "compute_force" in known and known["compute_force"].default is False:
        return {}  # upstream's models of dipoles alone assert that no force is asked for
    return {name: value for name, value in flags.items() if name in known}


def asked(model: torch.nn.Module, graph: Tensors, **flags: bool) -> Values:
    """Every floating-point output of a model by upstream's name, with its history.

    Args:
        graph: copied, because upstream writes into it. flags: of upstream's forward.
    """
    with quiet():
        out: dict[str, Any] = model({k: v.detach().clone() for k, v in graph.items()}, **flags)
    return {k: v for k, v in out.items() if isinstance(v, torch.Tensor) and v.is_floating_point()}


def outputs(model: torch.nn.Module, graph: Tensors, **flags: bool) -> Values:
    """The same without its history."""
    return {k: v.detach() for k, v in asked(model, graph, **flags).items()}


def trainable(model: torch.nn.Module) -> dict[str, torch.nn.Parameter]:
    """Parameters that want a gradient, by name."""
    return {n: p for n, p in model.named_parameters() if p.requires_grad}


def learned(model: torch.nn.Module, graph: Tensors, *key: object) -> Values:
    """Outputs, and the gradient of a random linear function of them by every trainable parameter: what training on all of them takes.

    Args:
        key: of the random function.

    Returns:
        Outputs by name; gradients as ``gradient by NAME``, zero where autograd finds no path.
    """
    training = {"training": True} if "training" in inspect.signature(model.forward).parameters else {}
    out = asked(model, graph, **training, **flags_of(model, **STRAINED))
    parameters = trainable(model)
    loss = sum((o * weight(o, name, *key)).sum() for name, o in out.items() if o.requires_grad and name in LOSSES)
    values = {k: v.detach() for k, v in out.items()}
    if not parameters or not isinstance(loss, torch.Tensor):
        return values
    gradients = torch.autograd.grad(loss, list(parameters.values()), allow_unused=True)
    found = zip(parameters.items(), gradients, strict=True)
    return values | {GRADIENT + n: (torch.zeros_like(p) if g is None else g).detach() for (n, p), g in found}


LOSSES = ("energy", "forces", "stress", "node_energy", "dipole", "charges", "polarizability", "atomic_dipoles")
"""Outputs that training has a loss of, and their parts by atom."""


def weight(like: torch.Tensor, *key: object) -> torch.Tensor:
    """Standard normal numbers of a tensor's shape, type and device."""
    generator = torch.Generator().manual_seed(seed_of("weight", *key))
    return torch.randn(like.shape, dtype=torch.float64, generator=generator).to(like)


def scales(case: Case, values: Callable[[], Values], *key: object) -> Values:
    """RMS rounding error in float64 of what a function of a model computes, element by element; measured once for a key.

    Args:
        values: of the reference backend's model, so that a faulty backend cannot widen what it is judged by.
    """
    held = _scales.setdefault(case.context, {})
    place = tuple(map(str, key))
    if place not in held:
        seeds = [seed_of("uses", case.context.seed, *key, draw) for draw in range(DRAWS)]
        held[place] = deviation(disturbed(values), values(), seeds)
    return held[place]


_scales: WeakKeyDictionary[Context, dict[tuple[str, ...], Values]] = WeakKeyDictionary()
_learned: WeakKeyDictionary[Context, Values] = WeakKeyDictionary()


def learning_scales(case: Case, found: Values) -> Values:
    """RMS rounding error of what :func:`learned` gives of :func:`generic`, measured once, of the reference backend, so that a faulty
    backend cannot widen what it is judged by.

    Args:
        found: by the model that is judged. A gradient by a parameter that the reference parametrises otherwise is taken to be as good,
            for its size, as the worst of the reference's.
    """
    graph, model = generic(case), case.context.reference_backend.model
    if case.context not in _learned:
        _learned[case.context] = learned(model, graph)
    values, scale = _learned[case.context], scales(case, lambda: learned(model, graph), "learned")
    relative = {n: rms(s) / rms(values[n]) for n, s in scale.items() if n.startswith(GRADIENT) and rms(values[n]) > 0}
    worst = max(relative.values(), default=0.0)
    own = {n: torch.full_like(v, relative.get(n, worst) * rms(v)) for n, v in found.items() if n.startswith(GRADIENT)}
    return {n: s for n, s in scale.items() if not n.startswith(GRADIENT)} | own


def structures(case: Case) -> list[Atoms]:
    """Two lopsided crystals of unequal volume, of the first elements of the model, one from the first on and one from the second on."""
    return frames_of(case)["crystals"]


def generic(case: Case, *frames: Atoms) -> Tensors:
    """A batch of structures that differ in charge, spin and the like, whose graphs go to the model's heads in turn.

    Args:
        frames: none for :func:`structures`.
    """
    graph = case.graph(*varied(frames or structures(case), case.context.model))
    count = graph["ptr"].numel() - 1
    heads = torch.arange(count, device=case.device) % len(heads_of(case))
    return {**graph, "head": heads} if "head" in graph else graph


def heads_of(case: Case) -> list[str]:
    """The model's heads, as far as it has energies of isolated atoms for each."""
    energies = getattr(getattr(case.context.reference_backend.model, "atomic_energies_fn", None), "atomic_energies", None)
    heads = case.context.model.heads
    return heads if energies is None else heads[: torch.atleast_2d(energies).shape[0]]


def rounded(t: torch.Tensor) -> torch.Tensor:
    """Float32's nearest numbers, in the type that they had: what a model that was stored in float32 holds."""
    return t.to(torch.float32).to(t.dtype) if t.is_floating_point() else t


@dataclass(frozen=True)
class Difference(Compared):
    """How far a quantity lies from what it must be.

    Attributes:
        ratio: in units of what rounding makes of both. limit: of the ratio. size: largest difference of an element.
    """

    what: str
    ratio: float
    limit: float
    size: float = math.nan


def differences(
    case: Case, found: Mapping[str, torch.Tensor], expected: Mapping[str, torch.Tensor], scale: Mapping[str, torch.Tensor]
) -> Iterator[Difference]:
    """Of every expected quantity; one that is missing, or of another shape, is infinitely far off."""
    for name, value in expected.items():
        one = found.get(name)
        if one is None or one.shape != value.shape:
            yield Difference(name, math.inf, 1.0)
            continue
        one = one.to(value)
        ratio = orderable(difference_ratio(one, value, scale[name].to(value)))
        size = float((one - value).abs().max()) if value.numel() else 0.0
        yield Difference(name, ratio, limit_of(case, value.numel()), size)


def judged(case: Case, rows: Sequence[Difference], variant: str, told: Callable[[Difference], str]) -> Record:
    """The worst of some differences, and how many others fail.

    Args:
        told: the reason of a failure.
    """
    worst = max(rows, key=lambda r: r.share)
    others = sum(not r.share <= 1.0 for r in rows) - 1
    reason = told(worst) + (f"; so do {others} more of {len(rows)} quantities" if others > 0 else "")
    metrics: dict[str, float | str | bool] = {"quantities": float(len(rows)), "largest_difference": worst.size}
    return case.finding(worst.ratio, limit=worst.limit, variant=variant, worst=worst.what, reason=reason, metrics=metrics)
