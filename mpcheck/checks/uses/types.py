"""The type that a user names for upstream's calculator is the one that it computes in, to the last tensor and the last result."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator
from typing import Any

import torch

from mpcheck._unsupported import Unsupported
from mpcheck.adapters.backends.casting import replaced, to_dtype
from mpcheck.adapters.blocks import WHOLE
from mpcheck.adapters.calculator import as_it_was
from mpcheck.adapters.facts.tensors import of_other_types
from mpcheck.adapters.upstream import default_dtype
from mpcheck.checks.physics.inputs import orderable
from mpcheck.checks.physics.structure import Case, Values, difference_ratio
from mpcheck.checks.uses.asking import Difference, differences, judged, rounded, scales, structures
from mpcheck.checks.uses.door import Door
from mpcheck.checks.uses.results import expected, given
from mpcheck.formats import FLOAT32, FLOAT64
from mpcheck.judge.replay import arithmetic
from mpcheck.records.record import Record
from mpcheck.reference.whole_noise import ROUNDOFF

COMPARED = ("energy", "free_energy", "forces", "stress", "energies")
FINE = 1e3
"""Noise scales of float64. Numbers this near to float64's were computed in float64; float32's are half a million times as far away."""
UNNAMED = "no type named, model in "


def types(case: Case) -> list[Record]:
    """A float64 model asked for in float32, and one in float32 asked for in float64, against the model itself in the type; and one in float32
    of which no type is asked.
    """
    return [_narrow(case), *_wide(case)]


def _compared(case: Case, found: Values, wanted: Values, roundoff: float) -> list[Difference]:
    door = Door(case)
    scale = _scales(case)
    kept = {n: v.to(torch.float64).cpu() for n, v in wanted.items() if n in COMPARED}
    told = {n: v.to(torch.float64) for n, v in found.items()}
    return list(differences(door.case, told, kept, {n: scale[n].cpu() * (roundoff / ROUNDOFF) for n in kept}))


def _scales(case: Case) -> Values:
    return scales(case, lambda: Door(case).truth(structures(case)[0], case.context.reference_backend.model), "calculator", "crystal")


def _results(case: Case, dtype: str) -> tuple[Values, list[str]]:
    """Results, and the tensors of the calculator's models that are of another type."""
    frame = structures(case)[0].copy()
    calc: Any = Door(case).open(default_dtype=dtype)
    calc.calculate(frame)
    wanted = getattr(torch, dtype or FLOAT32.name)
    return given(calc.results), [name for model in calc.models for name in of_other_types(model, wanted)]


def _narrow(case: Case) -> Record:
    """In float32; a model of another backend is given in float32 already, because its modules cannot all be cast in place."""
    backend = case.context.backend(case.key.backend)
    assert not isinstance(backend, Unsupported), "checked before"
    graph, door, own = case.graph(structures(case)[0]), Door(case), case.model is case.context.reference_backend.model
    exact = door.truth(structures(case)[0])
    if "energy" not in exact:
        return case.finding(None, variant=FLOAT32.name, verdict="unsupported", reason="the model gives no energy")
    low = {k: v.to(torch.float32) if v.is_floating_point() else v for k, v in graph.items()}
    if own:
        with as_it_was(case.model):
            found, left = _results(case, FLOAT32.name)
    with backend.prepared(WHOLE, FLOAT32), arithmetic(FLOAT32, case.device):
        if not own:
            with as_it_was(case.model):
                found, left = _results(case, FLOAT32.name)[0], []  # what a backend keeps in which type is its own
        wanted = expected(case.model, low, True, door.e0(low))
    record = judged(case, _compared(case, found, wanted, FLOAT32.u), FLOAT32.name, _told(FLOAT32.name))
    with replaced(case.model, rounded):
        once = door.truth(structures(case)[0], tensors={k: rounded(v) for k, v in graph.items()})
    reason = next((said for one in (exact, once) for said in _exact(case, found, wanted, one)), "") or _left(left, FLOAT32.name)
    if record.verdict == "pass" and reason:
        return case.finding(None, variant=FLOAT32.name, worst=reason.partition(" ")[0], reason=reason)
    return record.model_copy(update={"format": FLOAT32.name})


def _exact(case: Case, found: Values, wanted: Values, exact: Values) -> Iterator[str]:
    """Results that are float64's, where the model's own in float32 are not.

    Args:
        wanted: in float32. exact: in float64, of the model or of one whose weights were rounded.
    """
    scale = _scales(case)

    def distance(values: Values, name: str) -> float:
        one, other = values[name].to(torch.float64).cpu(), exact[name].cpu()
        return orderable(difference_ratio(one, other, scale[name].cpu())) if one.shape == other.shape else math.inf

    for name in COMPARED:
        if name in found and name in wanted and name in exact and distance(found, name) <= FINE < distance(wanted, name):
            said = f"with default_dtype={FLOAT32.name} the calculator's {name} are float64's within {distance(found, name):.3g} noise scales"
            yield f"{said}: it does not compute in {FLOAT32.name}"


def _left(names: list[str], dtype: str) -> str:
    """What is said of tensors of another type; empty where there are none."""
    if not names:
        return ""
    more = f" (and {len(names) - 1} more)" if len(names) > 1 else ""
    return f"with default_dtype={dtype} the calculator's model keeps {names[0]}{more}"


def _wide(case: Case) -> list[Record]:
    """A model that is stored in float32, asked for in float64: its weights, with float64's arithmetic; and asked for in no type."""
    if case.model is not case.context.reference_backend.model:
        reason = "a model of this backend cannot be widened in place; the calculator takes its float64 model in the other findings"
        return [case.finding(None, variant=FLOAT64.name, verdict="unsupported", reason=reason)]
    frame, door = structures(case)[0], Door(case)
    with replaced(case.model, rounded):
        wanted = door.truth(frame)
    if "energy" not in wanted:
        return [case.finding(None, variant=FLOAT64.name, verdict="unsupported", reason="the model gives no energy")]
    with as_it_was(case.model), default_dtype(torch.float32), replaced(case.model, to_dtype(torch.float32)):
        found, left = _results(case, FLOAT64.name)
    record = judged(case, _compared(case, found, wanted, ROUNDOFF), FLOAT64.name, _told(FLOAT64.name))
    if record.verdict == "pass" and (reason := _left(left, FLOAT64.name)):
        record = case.finding(None, variant=FLOAT64.name, reason=reason)
    return [record, _unnamed(case, wanted), _unnamed_wide(case)]


def _unnamed(case: Case, exact: Values) -> Record:
    """A model in float32 of which no type is asked is left in float32, and so is what it is given."""
    low = {k: v.to(torch.float32) if v.is_floating_point() else v for k, v in case.graph(structures(case)[0]).items()}
    with as_it_was(case.model), replaced(case.model, to_dtype(torch.float32)):
        wanted = expected(case.model, low, True, Door(case).e0(low))
        found, left = _results(case, "")
    record = judged(case, _compared(case, found, wanted, FLOAT32.u), UNNAMED + FLOAT32.name, _told("nothing"))
    reason = next(_exact(case, found, wanted, exact), "") or _left(left, "nothing")
    return case.finding(None, variant=UNNAMED + FLOAT32.name, reason=reason) if record.verdict == "pass" and reason else record


def _unnamed_wide(case: Case) -> Record:
    """A model in float64 likewise."""
    with as_it_was(case.model):
        wanted = Door(case).truth(structures(case)[0])
        found, _ = _results(case, "")
    return judged(case, _compared(case, found, wanted, ROUNDOFF), UNNAMED + FLOAT64.name, _told("nothing"))


def _told(dtype: str) -> Callable[[Difference], str]:
    return f"with default_dtype={dtype} the calculator's {{0.what}} is not the model's in {dtype}, by {{0.size:.3g}}".format
