"""The type that a user names for upstream's calculator is the one that it computes in."""

from __future__ import annotations

import math
from collections.abc import Callable

import torch

from mpcheck._unsupported import Unsupported
from mpcheck.adapters.backends.casting import replaced, to_dtype
from mpcheck.adapters.blocks import WHOLE
from mpcheck.adapters.calculator import as_it_was
from mpcheck.adapters.upstream import default_dtype
from mpcheck.checks.physics.inputs import orderable
from mpcheck.checks.physics.structure import Case, Values, difference_ratio
from mpcheck.checks.uses.asking import Difference, differences, judged, rounded, scales, structures
from mpcheck.checks.uses.calculator import Door
from mpcheck.checks.uses.results import expected, given
from mpcheck.formats import FLOAT32, FLOAT64
from mpcheck.judge.replay import arithmetic
from mpcheck.records.record import Record
from mpcheck.reference.whole_noise import ROUNDOFF

COMPARED = ("energy", "free_energy", "forces", "stress", "energies")
FINE = 1e3
"""Noise scales of float64. Numbers this near to float64's were computed in float64; float32's are half a million times as far away."""


def types(case: Case) -> list[Record]:
    """A float64 model asked for in float32, and one in float32 asked for in float64, against the model itself in the type."""
    return [_narrow(case), _wide(case)]


def _compared(case: Case, found: Values, wanted: Values, roundoff: float) -> list[Difference]:
    frame, door, reference = structures(case)[0], Door(case), case.context.reference_backend.model
    scale = scales(case, lambda: door.truth(frame, reference), "calculator", "crystal")
    kept = {n: v.to(torch.float64).cpu() for n, v in wanted.items() if n in COMPARED}
    told = {n: v.to(torch.float64) for n, v in found.items()}
    return list(differences(case, told, kept, {n: scale[n].cpu() * (roundoff / ROUNDOFF) for n in kept}))


def _results(case: Case, dtype: str) -> Values:
    frame = structures(case)[0].copy()
    calc = Door(case).open(default_dtype=dtype)
    calc.calculate(frame)
    return given(calc.results)


def _narrow(case: Case) -> Record:
    """In float32; a model of another backend is given in float32 already, because its modules cannot all be cast in place."""
    backend = case.context.backend(case.key.backend)
    assert not isinstance(backend, Unsupported), "checked before"
    graph, door = case.graph(structures(case)[0]), Door(case)
    exact = door.truth(structures(case)[0])
    if "energy" not in exact:
        return case.finding(None, variant=FLOAT32.name, verdict="unsupported", reason="the model gives no energy")
    low = {k: v.to(torch.float32) if v.is_floating_point() else v for k, v in graph.items()}
    if case.model is case.context.reference_backend.model:
        with as_it_was(case.model):
            found = _results(case, FLOAT32.name)
    with backend.prepared(WHOLE, FLOAT32), arithmetic(FLOAT32, case.device):
        if case.model is not case.context.reference_backend.model:
            with as_it_was(case.model):
                found = _results(case, FLOAT32.name)
        wanted = expected(case.model, low, True, door.e0(low))
    record = judged(case, _compared(case, found, wanted, FLOAT32.u), FLOAT32.name, _told(FLOAT32.name))
    distance = _distance(case, found["forces"], exact["forces"].cpu())
    if record.verdict == "pass" and not distance > FINE:
        reason = (
            f"with default_dtype=float32 the calculator's forces are float64's within {distance:.3g} noise scales: it does not compute in float32"
        )
        return case.finding(None, variant=FLOAT32.name, worst="forces", reason=reason)
    return record.model_copy(update={"format": FLOAT32.name})


def _distance(case: Case, found: torch.Tensor, exact: torch.Tensor) -> float:
    scale = scales(case, lambda: Door(case).truth(structures(case)[0], case.context.reference_backend.model), "calculator", "crystal")
    return orderable(difference_ratio(found.to(torch.float64), exact, scale["forces"].cpu())) if found.shape == exact.shape else math.inf


def _wide(case: Case) -> Record:
    """A model that is stored in float32, asked for in float64: its weights, with float64's arithmetic."""
    if case.model is not case.context.reference_backend.model:
        reason = "a model of this backend cannot be widened in place; the calculator takes its float64 model in the other findings"
        return case.finding(None, variant=FLOAT64.name, verdict="unsupported", reason=reason)
    frame, door = structures(case)[0], Door(case)
    with replaced(case.model, rounded):
        wanted = door.truth(frame)
    if "energy" not in wanted:
        return case.finding(None, variant=FLOAT64.name, verdict="unsupported", reason="the model gives no energy")
    with as_it_was(case.model), default_dtype(torch.float32), replaced(case.model, to_dtype(torch.float32)):
        found = _results(case, FLOAT64.name)
    return judged(case, _compared(case, found, wanted, ROUNDOFF), FLOAT64.name, _told(FLOAT64.name))


def _told(dtype: str) -> Callable[[Difference], str]:
    return f"with default_dtype={dtype} the calculator's {{0.what}} is not the model's in {dtype}, by {{0.size:.3g}}".format
