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

from mpcheck.bench.campaign import Effort
from mpcheck.bench.crowding import quietest
from mpcheck.bench.figures import Fingerprint
from mpcheck.bench.launches import WORKER, launched
from mpcheck.bench.launches import Launch as Process
from mpcheck.bench.pinning import processors
from mpcheck.bench.sampling import Plan, typical
from mpcheck.bench.workloads import UnsupportedError


@dataclass(frozen=True)
class Side:
    """One of the two environments.

    Attributes:
        name: base or head; python: its interpreter; paths: directories that come first on its path; arguments: what it runs.
    """

    name: str
    python: str
    paths: tuple[str, ...] = ()
    arguments: tuple[str, ...] = WORKER


@dataclass
class Duel:
    """What a duel found.

    Attributes:
        differences: by benchmark, log(head / base) of each pair of launches.
        seconds: by side, then by benchmark, of one call in every round.
        fingerprints: by side, then by benchmark.
        keys: by side. unsupported: why a benchmark that both list cannot be compared, with the side that says so.
        uncounted: why the cost of one that both run cannot be, with the side.
    """

    differences: dict[str, list[float]] = field(default_factory=dict)
    seconds: dict[str, dict[str, list[float]]] = field(default_factory=lambda: {"base": {}, "head": {}})
    fingerprints: dict[str, dict[str, Fingerprint]] = field(default_factory=lambda: {"base": {}, "head": {}})
    keys: dict[str, list[str]] = field(default_factory=dict)
    unsupported: dict[str, tuple[str, str]] = field(default_factory=dict)
    uncounted: dict[str, tuple[str, str]] = field(default_factory=dict)
    hello: dict[str, Mapping[str, Any]] = field(default_factory=dict)
    environment: dict[str, Mapping[str, Any]] = field(default_factory=dict)
    pairs: int = 0
    wall: float = 0.0

    @property
    def shared(self) -> list[str]:
        """Benchmarks that both sides have, in the head's order."""
        base = set(self.keys["base"])
        return [k for k in self.keys["head"] if k in base and k not in self.unsupported]


def alternate(base: Process, head: Process, key: str, plan: Plan, number: int) -> tuple[list[float], list[float], float]:
    """One pass over a benchmark: seconds of one call in every round on either side, and log(head / base).

    Args:
        number: of the pass, from 0: sides take turns in who is first, too.

    Raises:
        UnsupportedError: a side cannot run it; the text begins with the side's name, or with "both".
    """
    sides = (base, head)
    order = (0, 1) if number % 2 else (1, 0)
    once = 0.0
    refused: dict[str, str] = {}
    for place in order:
        try:
            once = max(once, sides[place].ask("prepare", key=key, warmup=3 if number else plan.warmup)["seconds"])
        except UnsupportedError as error:
            refused[sides[place].name] = str(error)
    if refused:  # what neither can run is no fault of the head's
        raise UnsupportedError(f"{'both' if len(refused) > 1 else next(iter(refused))}: {next(iter(refused.values()))}")
    calls = max(1, min(1000, int(plan.target / once)))
    own: tuple[list[float], list[float]] = ([], [])
    while len(own[0]) < plan.rounds and (sum(own[0]) * calls < plan.seconds / plan.passes or len(own[0]) < 4):
        for place in order:  # strictly in turns: who follows himself finds his own data in the caches
            own[place].append(sides[place].ask("turn", calls=calls)["seconds"])
    for side in sides:
        side.ask("release")
    return own[0], own[1], math.log(typical(own[1]) / typical(own[0]))


def _count(pair: Mapping[str, Process], name: str, into: Duel) -> None:
    """Either side's cost of a benchmark, once."""
    if name in into.uncounted:
        return
    for side, process in pair.items():
        if name not in into.fingerprints[side]:
            try:
                into.fingerprints[side][name] = Fingerprint.model_validate(process.ask("fingerprint", key=name)["fingerprint"])
            except UnsupportedError as error:  # it can be timed all the same
                into.uncounted[name] = (side, str(error))
                return


def _pair(
    sides: Sequence[Side], load: Mapping[str, Any], effort: Effort, wanted: Sequence[str] | None, into: Duel, progress: Callable[[str], None]
) -> None:
    number = into.pairs + 1
    with ExitStack() as stack:
        pair: dict[str, Process] = {}
        for side in sides if number % 2 else sides[::-1]:  # neither side is always the older process
            progress(f"pair {number}: starting {side.name}")
            pair[side.name], into.hello[side.name] = stack.enter_context(launched(side.name, effort.threads, side.python, side.paths, side.arguments))
        cpus = quietest(processors(), effort.threads)
        with ThreadPoolExecutor(len(pair)) as together:
            answers = {name: together.submit(process.ask, "load", **load, cpus=cpus) for name, process in pair.items()}
            for name, answer in answers.items():
                loaded = answer.result()
                into.environment[name], into.keys[name] = loaded["environment"], loaded["keys"]
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
                    side_name, _, reason = str(error).partition(": ")
                    into.unsupported[name] = (side_name, reason)
                    continue
                _count(pair, name, into)
                passes.setdefault(name, []).append(difference)
                into.seconds["base"].setdefault(name, []).extend(base)
                into.seconds["head"].setdefault(name, []).extend(head)
        for name, found in passes.items():
            if name not in into.unsupported:
                into.differences.setdefault(name, []).append(statistics.median(found))
    into.pairs += 1


def run_duel(
    base: Side,
    head: Side,
    load: Mapping[str, Any],
    effort: Effort,
    undecided: Callable[[Duel], Iterable[str]],
    progress: Callable[[str], None] = lambda _: None,
) -> Duel:
    """Pair after pair until nothing is undecided or ``effort`` is spent; at least the first look's pairs are made.

    Raises:
        InputError: an environment without mpcheck, bad input, or a launch that died.
    """
    found = Duel()
    began = time.perf_counter()
    wanted: list[str] | None = None
    for look in effort.looks:
        while found.pairs < look:
            if found.pairs >= effort.looks[0] and time.perf_counter() - began > effort.seconds:
                break
            _pair((base, head), load, effort, wanted, found, progress)
            if not found.shared:  # another pair would find no more
                break
        chosen = set(undecided(found))
        wanted = [name for name in found.shared if name in chosen]
        if not wanted or found.pairs < look:
            break
    found.wall = time.perf_counter() - began
    return found
