"""What the runs will take, from a few calls of the model, told before anything is run."""

from __future__ import annotations

import time
from collections.abc import Mapping, Sequence

from mpcheck._names import REFERENCE_BACKEND
from mpcheck._raised import Raised, attempt
from mpcheck._text import duration
from mpcheck.dynamics.protocols.forces import warmed
from mpcheck.dynamics.protocols.protocol import Protocol
from mpcheck.formats import F64
from mpcheck.sessions.md.runs import Runs

CALLS = 3


def estimate(runs: Runs, protocols: Mapping[str, Protocol], arms: Sequence[tuple[str, str]], seeds: int) -> str:
    """A line: steps in all, and the time that they take one after the other if every policy is as fast as float64; nothing where the model
    cannot be called, which its runs then say.
    """
    steps = sum(len(arms) * seeds * runs.steps(p) + (2 * runs.steps(p) if p.ensemble == "nve" else 0) for p in protocols.values())
    ready = {(p.temperature_K, p.equilibration_ps, p.timestep_fs): p for p in protocols.values()}
    steps += sum(seeds * p.steps_of(p.equilibration_ps) for p in ready.values())

    def timed() -> float:
        atoms = runs.template.copy()
        atoms.calc = runs.calculator(F64, REFERENCE_BACKEND)
        warmed(atoms)
        began = time.perf_counter()
        for _ in range(CALLS):
            atoms.calc.reset()
            atoms.get_forces()
        return (time.perf_counter() - began) / CALLS

    seconds = attempt(timed)
    if isinstance(seconds, Raised):
        return ""
    return f"{steps:,} steps of {1e3 * seconds:.3g} ms in float64: about {duration(steps * seconds)} one after the other"
