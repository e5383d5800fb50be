"""Upstream's calculator with ``compile_mode``: the model that it builds anew, traces and pads, against the model that it was given.

Code for a processor takes minutes to compile, so that on a CPU the traced graph runs as it is; ``mpcheck policy`` judges and times compiled code.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping

import torch

from mpcheck.adapters.backends.casting import replaced
from mpcheck.adapters.calculator import model_type_of
from mpcheck.adapters.compiling import MODE, REBUILDS, traced, tracing
from mpcheck.adapters.upstream import default_dtype
from mpcheck.checks.physics.structure import Case
from mpcheck.checks.uses import calculator
from mpcheck.checks.uses.asking import Difference, differences, rounded, scales, structures
from mpcheck.checks.uses.derived import OF_MODELS_OF_ENERGIES
from mpcheck.checks.uses.door import Door
from mpcheck.checks.uses.results import given
from mpcheck.checks.uses.units import explained
from mpcheck.formats import FLOAT32, FLOAT64
from mpcheck.records.record import Record
from mpcheck.reference.whole_noise import ROUNDOFF

ROUNDED = "which is that of a model built in float32, torch's default type"


def compiled(case: Case) -> list[Record]:
    """A finding under float64 as torch's default type, and one under float32, which is how a process begins."""
    name = type(case.model).__name__
    if name not in REBUILDS or case.model is not case.context.reference_backend.model:
        reason = f"upstream's recipe rebuilds e3nn models of {', '.join(REBUILDS)}"
        return [case.finding(None, verdict="unsupported", reason=reason)]
    return [calculator.judge(case, variant, ASKED) for variant in ASKED]


def _values(door: Door, dtype: torch.dtype) -> Iterator[tuple[int, list[Difference], list[Difference]]]:
    """By structure: its number of atoms, differences from the model, and from the model in float32.

    One structure twice, moved, and one of an even number of atoms, which is padded to as many as the first has.
    """
    case = door.case
    frames = structures(case)
    moved = frames[0].copy()
    moved.positions[0] += (0.03, -0.02, 0.01)
    with default_dtype(dtype), traced(case.device), tracing(), torch.random.fork_rng(devices=[]):  # the model that is made anew draws weights
        calc = door.open(compile_mode=MODE, fullgraph=True)
        results = []
        for frame in (frames[0], moved, frames[1]):
            calc.calculate(frame.copy())
            results.append(given(calc.results))
    for frame, found, key in zip((frames[0], moved, frames[1]), results, ("odd", "moved", "even"), strict=True):
        wanted = door.truth(frame)
        near = door.compared(found, wanted, frame, f"compiled {key}")
        with replaced(case.model, rounded):
            low = door.truth(frame, tensors={n: rounded(t) for n, t in case.graph(frame).items()})
        told = {n: v.to(torch.float64) for n, v in found.items() if n in low}
        scale = scales(case, lambda frame=frame: door.truth(frame), "calculator", f"compiled {key}")  # type: ignore[misc]
        coarse = {n: scale[n].cpu() * (FLOAT32.u / ROUNDOFF) for n in low}
        yield len(frame), near, list(differences(case, told, {n: low[n].cpu() for n in told}, {n: coarse[n] for n in told}))


def _of_atoms(row: Difference, atoms: int) -> Difference:
    return Difference(f"{row.what} of {atoms} atoms", row.ratio, row.limit, row.size)


def _judged(dtype: torch.dtype) -> calculator.Judge:
    def judge(door: Door) -> Iterator[Difference]:
        if model_type_of(door.case.model) != OF_MODELS_OF_ENERGIES:
            return
        # all at once: a row that is explained must not stand before one that is not
        found = list(_values(door, dtype))
        rows, low = ([_of_atoms(row, atoms) for atoms, *both in found for row in both[i]] for i in range(2))
        yield from explained(rows, lambda: low, ROUNDED)

    return judge


ASKED: Mapping[str, calculator.Judge] = {
    f"under {FLOAT64.name}": _judged(torch.float64), f"under {FLOAT32.name}": _judged(torch.float32),
}  # fmt: skip
"""By variant: torch's default type."""
