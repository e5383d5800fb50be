"""Steps a second of every policy, in turns in one process, and what noting and writing them costs on top, as records."""

from __future__ import annotations

import statistics
import time
from pathlib import Path
from typing import Any

from mpcheck._names import REFERENCE_BACKEND
from mpcheck._raised import Raised, attempt_unless_refused
from mpcheck.dynamics.protocols.forces import warmed
from mpcheck.dynamics.protocols.integrators import Integrator
from mpcheck.dynamics.protocols.protocol import get_protocol
from mpcheck.formats import F64
from mpcheck.records.dynamics_figures import DynamicsSpeed
from mpcheck.records.record import Planned, Record
from mpcheck.sessions.md.runs import RunKey, Runs, refused

ROUNDS, STEPS = 7, 10
DAY = 86_400.0
MOST_OVERHEAD = 5.0
"""Per cent of bare ASE's time: more, and it is mpcheck that makes dynamics slow."""


def speed(work: Any, runs: Runs, key: Any, planned: Planned) -> list[Record]:
    """Records of every policy.

    Raises:
        UnsupportedRunError: float64's start cannot be made here. BaseException: whatever it raises.
    """
    protocol = get_protocol(key.protocol)
    runs.possible(protocol)
    moved: dict[tuple[str, str], Integrator] = {}
    records = []
    for policy, backend in work.arms:
        about = {**planned.about, "subject": Path(policy).stem, "backend": backend}

        def ready(policy: str = policy, backend: str = backend) -> Integrator | str:
            if not (run := runs.run(RunKey(key.protocol, policy, backend, 0))).finished:
                return run.ended  # where atoms fly apart, a neighbour list takes all memory
            atoms = runs.start(protocol, 0).atoms.copy()
            atoms.calc = runs.calculator(policy, backend)
            warmed(atoms)
            return Integrator(atoms, protocol, seed=1)

        made = attempt_unless_refused(ready)
        if isinstance(made, Raised):
            records.append(refused(about, made))
        elif isinstance(made, str):
            records.append(Record(**about, verdict="inconclusive", reason=f"its run did not come to its end: {made}"))
        else:
            moved[policy, backend] = made
    taken: dict[tuple[str, str], list[float]] = {arm: [] for arm in moved}
    for number in range(ROUNDS + 1):
        for arm, integrator in moved.items():
            began = time.perf_counter()
            integrator.step(STEPS)
            if number:  # the first round warms up
                taken[arm].append(STEPS / (time.perf_counter() - began))
        runs.session.options.progress(f"{runs.system}: speed, round {number} of {ROUNDS}")
    exact = taken.get((F64, REFERENCE_BACKEND), [])
    for (policy, backend), values in taken.items():
        about = {**planned.about, "subject": Path(policy).stem, "backend": backend}
        rate = statistics.median(values)
        gain = statistics.median(v / e for v, e in zip(values, exact, strict=True)) if exact else None
        over = overhead(work, runs, key.protocol, policy, backend)
        detail = DynamicsSpeed(
            steps_per_second=rate, steps_per_second_low=min(values), steps_per_second_high=max(values), mega_steps_per_day=rate * DAY / 1e6,
            ps_per_day=rate * DAY * protocol.timestep_fs * 1e-3, speedup=gain, overhead_percent=over, runs=float(len(values)),
        )  # fmt: skip
        note = f"mpcheck takes {over:.1f} % on top of ASE's steps" if over is not None and over > MOST_OVERHEAD else ""
        records.append(Record(**about, verdict="pass", note=note, detail=detail))
    return records


def overhead(work: Any, runs: Runs, protocol: str, policy: str, backend: str) -> float | None:
    """Per cent that everything but the steps took in the runs that this session made; None where it made none in this process."""
    made = [runs.run(RunKey(protocol, policy, backend, seed)) for seed in range(work.asked.seeds)]
    stepped, around = sum(run.seconds for run in made), sum(run.around for run in made)
    return 100 * around / stepped if stepped > 0 else None
