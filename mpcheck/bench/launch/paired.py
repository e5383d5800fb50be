"""Base against head in the same minutes: two resident workers on one processor, alternated every round, pair after pair of launches.

What moves the machine moves both (duet benchmarking, Bulej et al. 2020, arXiv:2001.05811); what differs between two processes of
the same code, the layout of their memory, differs anew in every pair, so the pair is the unit of replication.
"""

from __future__ import annotations

import math
import statistics
import time
from collections.abc import Callable, Iterable, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack
from dataclasses import dataclass, field
from typing import Any

from mpcheck._cores import processors
from mpcheck._unsupported import Unsupported
from mpcheck.bench.figures import Fingerprint, Start
from mpcheck.bench.launch.crowding import quietest
from mpcheck.bench.launch.measurement import Effort
from mpcheck.bench.launch.processes import WORKER, LaunchProcess, launched
from mpcheck.bench.timing.sampling import SamplingPlan, typical
from mpcheck.bench.timing.starts import digest, in_order
from mpcheck.bench.work.workload import UnsupportedError


@dataclass(frozen=True)
class MeasuredSide:
    """One of the two environments.

    Attributes:
        name: base or head; python: its interpreter; paths: directories that come first on its path; arguments: what it runs.
    """

    name: str
    python: str
    paths: tuple[str, ...] = ()
    arguments: tuple[str, ...] = WORKER


@dataclass
class PairedMeasurement:
    """What all pairs of launches found.

    Attributes:
        differences: by benchmark, log(head / base) of each pair of launches.
        seconds: by side, then by benchmark, of one call in every round.
        fingerprints: by side, then by benchmark.
        starts: by side, then by benchmark: first calls of each pair of launches that made all of them.
        keys: by side. unsupported: why a benchmark that both list cannot be compared, with the side that says so.
        uncounted: why the cost of one that both run cannot be, with the side.
    """

    differences: dict[str, list[float]] = field(default_factory=dict)
    seconds: dict[str, dict[str, list[float]]] = field(default_factory=lambda: {"base": {}, "head": {}})
    fingerprints: dict[str, dict[str, Fingerprint]] = field(default_factory=lambda: {"base": {}, "head": {}})
    keys: dict[str, list[str]] = field(default_factory=dict)
    unsupported: dict[str, tuple[str, Unsupported]] = field(default_factory=dict)
    uncounted: dict[str, tuple[str, Unsupported]] = field(default_factory=dict)
    starts: dict[str, dict[str, list[Start]]] = field(default_factory=lambda: {"base": {}, "head": {}})
    hello: dict[str, Mapping[str, Any]] = field(default_factory=dict)
    pairs: int = 0

    @property
    def shared(self) -> list[str]:
        """Benchmarks that both sides have, in the head's order."""
        base = set(self.keys["base"])
        return [k for k in self.keys["head"] if k in base and k not in self.unsupported]


def _both(sides: Sequence[LaunchProcess], command: str, **fields: Any) -> dict[str, dict[str, Any]]:
    """Both sides' answers, by name, asked one after the other.

    Raises:
        UnsupportedError: a side cannot run it, or both, as its ``side`` says.
    """
    answers: dict[str, dict[str, Any]] = {}
    refused: dict[str, Unsupported] = {}
    for side in sides:
        try:
            answers[side.name] = side.ask(command, **fields)
        except UnsupportedError as error:
            refused[side.name] = error.why
    if refused:  # what neither can run is no fault of the head's
        raise UnsupportedError(next(iter(refused.values())), "both" if len(refused) > 1 else next(iter(refused)))
    return answers


def alternate(base: LaunchProcess, head: LaunchProcess, key: str, plan: SamplingPlan, number: int) -> tuple[list[float], list[float], float]:
    """One pass over a benchmark: seconds of one call in every round on either side, and log(head / base).

    Args:
        number: of the pass, from 0: sides take turns in who is first, too.

    Raises:
        UnsupportedError: a side cannot run it, or both, as its ``side`` says.
    """
    sides = (base, head)
    order = (0, 1) if number % 2 else (1, 0)
    told = _both([sides[place] for place in order], "prepare", key=key, warmup=3 if number else plan.warmup)
    once = max(answer["seconds"] for answer in told.values())
    calls = max(1, min(1000, int(plan.target / once)))
    own: tuple[list[float], list[float]] = ([], [])
    while len(own[0]) < plan.rounds and (sum(own[0]) * calls < plan.seconds / plan.passes or len(own[0]) < 4):
        for place in order:  # strictly in turns: who follows himself finds his own data in the caches
            own[place].append(sides[place].ask("turn", calls=calls)["seconds"])
    for side in sides:
        side.ask("release")
    return own[0], own[1], math.log(typical(own[1]) / typical(own[0]))


def _count(pair: Mapping[str, LaunchProcess], name: str, into: PairedMeasurement) -> None:
    """Either side's cost of a benchmark, once."""
    if name in into.uncounted:
        return
    for side, process in pair.items():
        if name not in into.fingerprints[side]:
            try:
                into.fingerprints[side][name] = Fingerprint.model_validate(process.ask("fingerprint", key=name)["fingerprint"])
            except UnsupportedError as error:  # it can be timed all the same
                into.uncounted[name] = (side, error.why)
                return


def _start_all(pair: Mapping[str, LaunchProcess], into: PairedMeasurement, progress: Callable[[str], None]) -> None:
    """First calls of everything that both sides have, before anything else is called; the sides take turns in who is first."""
    made: list[str] = []
    first: dict[str, dict[str, dict[str, Any]]] = {}

    def turns(place: int) -> list[LaunchProcess]:
        return [pair[side] for side in (("base", "head") if place % 2 else ("head", "base"))]

    for place, name in enumerate(in_order(into.shared)):
        progress(f"pair {into.pairs + 1}, first calls, {place + 1} of {len(into.shared)}: {name}")
        try:
            told = _both(turns(place), "start", key=name)
        except UnsupportedError as error:
            _refuse(into, name, error)
            continue
        first[name] = {side: {"first": answer["first"], "after": digest(made)} for side, answer in told.items()}
        made.append(name)
    called = list(made)
    for place, name in enumerate(made):
        progress(f"pair {into.pairs + 1}, first calls on another shape: {name}")
        told = _both(turns(place), "reshape", key=name)
        for side, answer in told.items():
            into.starts[side].setdefault(name, []).append(Start(**first[name][side], **answer, shape_after=digest(called)))
        called.append(name)


def _refuse(into: PairedMeasurement, name: str, error: UnsupportedError) -> None:
    into.unsupported[name] = (error.side, error.why)


def _pair(
    sides: Sequence[MeasuredSide],
    load: Mapping[str, Any],
    effort: Effort,
    wanted: Sequence[str] | None,
    into: PairedMeasurement,
    progress: Callable[[str], None],
    starting: bool,
) -> None:
    number = into.pairs + 1
    with ExitStack() as stack:
        pair: dict[str, LaunchProcess] = {}
        for side in sides if number % 2 else sides[::-1]:  # neither side is always the older process
            progress(f"pair {number}: starting {side.name}")
            pair[side.name], into.hello[side.name] = stack.enter_context(
                launched(side.name, effort.threads, side.python, side.paths, side.arguments, effort.patience)
            )
        cpus = quietest(processors(), effort.threads)
        with ThreadPoolExecutor(len(pair)) as together:
            answers = {name: together.submit(process.ask, "load", **load, cpus=cpus) for name, process in pair.items()}
            for name, answer in answers.items():
                into.keys[name] = answer.result()["keys"]
        if starting:
            _start_all(pair, into, progress)
        names = [k for k in into.shared if wanted is None or k in wanted]
        passes: dict[str, list[float]] = {}
        for turn in range(effort.plan.passes):
            for place, name in enumerate(names, 1):
                if name in into.unsupported:
                    continue
                progress(f"pair {number}, pass {turn + 1} of {effort.plan.passes}, {place} of {len(names)}: {name}")
                try:
                    base, head, difference = alternate(pair["base"], pair["head"], name, effort.plan, turn)
                except UnsupportedError as error:
                    _refuse(into, name, error)
                    continue
                _count(pair, name, into)
                passes.setdefault(name, []).append(difference)
                into.seconds["base"].setdefault(name, []).extend(base)
                into.seconds["head"].setdefault(name, []).extend(head)
        for name, differences in passes.items():
            if name not in into.unsupported:
                into.differences.setdefault(name, []).append(statistics.median(differences))
    into.pairs += 1


def run_paired(
    base: MeasuredSide,
    head: MeasuredSide,
    load: Mapping[str, Any],
    effort: Effort,
    undecided: Callable[[PairedMeasurement], Iterable[str]],
    progress: Callable[[str], None] = lambda _: None,
    restart: Callable[[PairedMeasurement], bool] = lambda _: False,
) -> PairedMeasurement:
    """Pair after pair until nothing is undecided or ``effort`` is spent; at least the first look's pairs are made.

    Args:
        restart: whether more first calls are wanted; see :func:`mpcheck.bench.launch.measurement.run_launches`.

    Raises:
        InputError: an environment without mpcheck, bad input, or a launch that died.
    """
    measured = PairedMeasurement()
    began = time.perf_counter()
    wanted: list[str] | None = None
    starting = True
    for look in effort.looks:
        while measured.pairs < look:
            if measured.pairs >= effort.looks[0] and time.perf_counter() - began > effort.seconds:
                break
            _pair((base, head), load, effort, wanted, measured, progress, starting)
            if not measured.shared:  # another pair would find no more
                break
        chosen = set(undecided(measured))
        wanted = [name for name in measured.shared if name in chosen]
        starting = restart(measured)
        if not (wanted or starting) or measured.pairs < look:
            break
    return measured
