"""Energy and forces of one structure by several candidates, timed in processes of their own: what each takes, and how much faster it is.

As the bench session does it: launches are the unit of replication, candidates alternate inside of each, the host's clock leaves out what
others ran on the processor, and a GPU is timed by events.
"""

from __future__ import annotations

import functools
import math
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import asdict, dataclass, field
from typing import Any

from mpcheck._cores import processors
from mpcheck._errors import InputError
from mpcheck._unsupported import Unsupported
from mpcheck.bench.figures import CROWDED
from mpcheck.bench.launch.crowding import quietest
from mpcheck.bench.launch.processes import LaunchProcess, launched, own_paths
from mpcheck.bench.timing.sampling import typical
from mpcheck.bench.work.workload import UnsupportedError
from mpcheck.policy.speed.candidates import Candidate
from mpcheck.policy.speed.rounds import RoundPlan
from mpcheck.policy.speed.speedup import Speedup, speedup
from mpcheck.policy.speed.timing_worker import ARGUMENTS
from mpcheck.policy.speed.whole_errors import WholeErrors
from mpcheck.sessions.options import Options, plain

LAUNCHES = 3
BUILDING = 180.0
"""Seconds that a candidate may take to be built and called for the first time. Compilation of a small model takes one minute on a CPU, and that
of one through cuEquivariance's graphs was seen not to end in seven."""
HANGS = 600.0  # seconds for a single answer


@dataclass(frozen=True)
class Workload:
    """What is called.

    Attributes:
        options: of a session; its model, device and seed count. system: one of them, as a user types it. batch: how often it is repeated.
    """

    options: Options
    system: str
    batch: int = 1

    def load(self) -> dict[str, Any]:
        """A worker's ``load``; its session has the system that is placed later, so that none of the default ones is made."""
        return {"options": {**plain(self.options), "systems": [self.system]}}


@dataclass
class Timings:
    """What all launches found.

    Attributes:
        seconds: of a call, by candidate, launch by launch, in the same rounds for all. building: seconds to build it and of its first call.
        peak, stored: bytes that a call holds at most beyond its inputs and weights; of the weights.
        errors: of the call that is timed. unsupported: why a candidate cannot run here.
        atoms, edges: of the workload. environment: the machine. crowded: launches beside others on the same processor.
    """

    seconds: dict[str, list[list[float]]] = field(default_factory=dict)
    building: dict[str, list[float]] = field(default_factory=dict)
    peak: dict[str, int] = field(default_factory=dict)
    stored: dict[str, int] = field(default_factory=dict)
    errors: dict[str, WholeErrors] = field(default_factory=dict)
    unsupported: dict[str, Unsupported] = field(default_factory=dict)
    atoms: int = 0
    edges: int = 0
    environment: Mapping[str, Any] = field(default_factory=dict)
    launches: int = 0
    crowded: int = 0

    def milliseconds(self, candidate: str) -> float:
        """Of a call: geometric mean over launches of the lower half's mean."""
        logs = [math.log(typical(rounds)) for rounds in self.seconds[candidate]]
        return 1e3 * math.exp(math.fsum(logs) / len(logs))

    def speedup(self, candidate: str, base: str) -> Speedup | None:
        """How many times faster than another candidate; None where either did not run."""
        both = (self.seconds.get(base), self.seconds.get(candidate))
        return speedup(both[0], both[1]) if both[0] and both[1] else None


def measured(
    workload: Workload,
    candidates: Sequence[Candidate],
    launches: int = LAUNCHES,
    plan: RoundPlan | None = None,
    seconds: float = math.inf,
    progress: Callable[[str], None] = lambda _: None,
) -> Timings:
    """Time candidates on a workload.

    Args:
        launches: processes; at least one. seconds: of wall time after which no further one is started.

    Raises:
        InputError: bad input, no candidate or launch, or a launch died.
    """
    if launches < 1 or not candidates:
        raise InputError(f"{len(candidates)} candidates in {launches} launches cannot be timed; give one or more of both")
    timings, began = Timings(), time.perf_counter()
    wanted = {c.id: c for c in candidates}
    for number in range(launches):
        if number and time.perf_counter() - began > seconds:
            break
        with launched(f"launch {number + 1}", 1, paths=own_paths(), arguments=ARGUMENTS, patience=HANGS) as (process, _):
            said = functools.partial(_said, progress, f"launch {number + 1} of {launches}")
            said("loading")
            timings.environment = process.ask("load", **workload.load(), cpus=quietest(processors(), 1))["environment"]
            placed(process, workload.system, workload.batch, timings)
            one_launch(process, wanted, plan or RoundPlan(), timings, said)
        if not set(wanted) - set(timings.unsupported):
            break
    return timings


def _said(progress: Callable[[str], None], launch: str, text: str) -> None:
    progress(f"{launch}: {text}")


def placed(process: LaunchProcess, system: str, batch: int, into: Timings) -> None:
    """Put a structure before a launch.

    Raises:
        InputError: bad input, or the float64 model raised on it.
    """
    try:
        told = process.ask("place", system=system, batch=batch)
    except UnsupportedError as error:
        raise InputError(f"the model cannot be evaluated on {system}: {error}; check that upstream's calculator runs it") from error
    into.atoms, into.edges = told["atoms"], told["edges"]


def one_launch(process: LaunchProcess, wanted: Mapping[str, Candidate], plan: RoundPlan, into: Timings, progress: Callable[[str], None]) -> None:
    """One launch: all built first, for what compiles leaves the caches to others, then called in turn."""
    ran: list[str] = []
    for name in wanted:
        if name in into.unsupported:
            continue
        progress(f"building {name}")
        try:
            into.building.setdefault(name, []).append(process.ask("build", key=name, words=asdict(wanted[name]), seconds=BUILDING)["seconds"])
            ran.append(name)
        except UnsupportedError as error:
            into.unsupported[name] = error.why
    progress("timing")
    told: dict[str, Any] = {}
    while ran:
        told = process.ask("measure", keys=ran, plan={**asdict(plan), "seed": plan.seed + into.launches})
        if not (failed := told["failed"]):
            break
        into.unsupported[failed] = Unsupported.of(told["why"])
        ran.remove(failed)
    for name in ran:
        into.seconds.setdefault(name, []).append(told["seconds"][name])
        if name in into.peak:
            continue
        try:
            memory = process.ask("memory", key=name)
            into.errors[name] = WholeErrors(**process.ask("errors", key=name))
        except UnsupportedError as error:
            into.unsupported[name] = error.why
        else:
            into.peak[name], into.stored[name] = memory["peak"], memory["stored"]
    into.launches += bool(ran)
    into.crowded += bool(ran) and told["waiting"] > CROWDED
