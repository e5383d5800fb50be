"""Launch after launch measures every benchmark, until each is clear or the time is spent."""

from __future__ import annotations

import math
import statistics
import time
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import asdict, dataclass, field
from typing import Any

from mpcheck._cores import processors
from mpcheck._unsupported import Unsupported
from mpcheck.bench.figures import CROWDED, BenchFigures, Fingerprint, Launch, Start
from mpcheck.bench.launch.crowding import quietest
from mpcheck.bench.launch.processes import LaunchProcess, launched, own_paths
from mpcheck.bench.timing.sampling import Readings, SamplingPlan, launch_of
from mpcheck.bench.timing.starts import digest, in_order
from mpcheck.bench.work.workload import UnsupportedError
from mpcheck.sessions.options import Options, plain

Undecided = Callable[["Measurement"], Iterable[str]]
"""Which benchmarks another launch should measure again."""


@dataclass(frozen=True)
class Effort:
    """How much to measure.

    Attributes:
        looks: after how many launches verdicts are asked for; the first is the fewest that are made, the last the most.
        seconds: of wall time after which no further launch is started.
        threads: of each launch, on as many processors.
    """

    looks: tuple[int, ...] = (3, 5, 8)
    seconds: float = 140.0
    threads: int = 1
    plan: SamplingPlan = field(default_factory=SamplingPlan)

    @property
    def patience(self) -> float:
        """Seconds after which a single request to a launch is taken for one that never ends.

        Many times what the whole run is given, or usually is: a machine so slow would make no run at all.
        """
        return HANGS * max(self.seconds if math.isfinite(self.seconds) else 0.0, type(self).seconds)


HANGS = 20  # times a run's time for a single answer
PATIENCE = 2  # launches made at most, crowded ones among them, in multiples of those that are wanted
DEVICE_SECONDS = 3.0  # of each benchmark on a GPU; its energy counter needs about one of them
STORED_EFFORT = Effort()
PAIRED_EFFORT = Effort(looks=(5, 8, 12), seconds=600.0)


@dataclass
class Measurement:
    """What all launches found.

    Attributes:
        launches: figures of each launch by benchmark; seconds: of one call in every round of every launch.
        unsupported: why a benchmark cannot run here; uncounted: why the cost of one that runs cannot be counted.
        build_seconds: of each backend's model, launch by launch.
        processes: launches made; crowded: those on a processor that others used, too. More are made in their place.
        starts: of each launch that made all first calls, by benchmark.
        device: on a GPU, what :class:`mpcheck.bench.gpu.figures.DeviceFigures` says of each, in the first launch.
    """

    launches: dict[str, list[Launch]] = field(default_factory=dict)
    seconds: dict[str, list[float]] = field(default_factory=dict)
    fingerprints: dict[str, Fingerprint] = field(default_factory=dict)
    unsupported: dict[str, Unsupported] = field(default_factory=dict)
    uncounted: dict[str, Unsupported] = field(default_factory=dict)
    build_seconds: dict[str, list[float]] = field(default_factory=dict)
    processes: int = 0
    crowded: int = 0
    environment: Mapping[str, Any] = field(default_factory=dict)
    device: dict[str, Mapping[str, Any]] = field(default_factory=dict)
    keys: list[str] = field(default_factory=list)
    starts: dict[str, list[Start]] = field(default_factory=dict)

    @property
    def on_gpu(self) -> bool:
        """Whether a GPU is measured."""
        return str(self.environment.get("device", "")).startswith("cuda")

    @property
    def figures(self) -> dict[str, BenchFigures]:
        """As they are stored; none of a benchmark that ran in one launch and could not in another."""
        ran = {name: launches for name, launches in self.launches.items() if name not in self.unsupported}
        return {
            n: BenchFigures(launches=launches, fingerprint=self.fingerprints.get(n), starts=self.starts.get(n, [])) for n, launches in ran.items()
        }


def request(options: Options, batches: Sequence[int], works: Sequence[str], flush_l2: bool = False, skip: Sequence[str] = ()) -> dict[str, Any]:
    """A worker's ``load``: the options of a session without what a process keeps for itself.

    Args:
        skip: benchmarks that are another shard's.
    """
    return {"options": plain(options), "batches": list(batches), "works": list(works), "flush_l2": flush_l2, "skip": list(skip)}


def _count(process: LaunchProcess, name: str, into: Measurement) -> None:
    """A benchmark's cost, once."""
    if name in into.fingerprints or name in into.uncounted:
        return
    try:
        into.fingerprints[name] = Fingerprint.model_validate(process.ask("fingerprint", key=name)["fingerprint"])
    except UnsupportedError as error:  # it can be timed all the same
        into.uncounted[name] = error.why


def start_all(process: LaunchProcess, names: Sequence[str], into: Measurement, progress: Callable[[str], None]) -> dict[str, float]:
    """One launch's first calls of the benchmarks named, before anything else is called; seconds of the very first one of each."""
    made: dict[str, float] = {}
    told: dict[str, dict[str, Any]] = {}
    for place, name in enumerate(in_order([n for n in names if n not in into.unsupported]), 1):
        progress(f"launch {into.processes + 1}, first calls, {place} of {len(names)}: {name}")
        try:
            answer = process.ask("start", key=name)
        except UnsupportedError as error:
            into.unsupported[name] = error.why
            continue
        told[name] = {"first": answer["first"], "after": digest(made)}
        made[name] = answer["first_call"]
    called = list(made)
    for name in made:  # after all first calls: another shape's arguments take an evaluation of the model, which compiles, too
        progress(f"launch {into.processes + 1}, first calls on another shape: {name}")
        into.starts.setdefault(name, []).append(Start(**told[name], **process.ask("reshape", key=name), shape_after=digest(called)))
        called.append(name)
    return made


def measure_all(
    process: LaunchProcess,
    names: Sequence[str],
    plan: SamplingPlan,
    into: Measurement,
    progress: Callable[[str], None],
    made: Mapping[str, float] | None = None,
) -> None:
    """One launch's figures of the benchmarks named.

    Args:
        made: seconds of the first calls that the process has made already.
    """
    passes: dict[str, list[Readings]] = {}
    for number in range(plan.passes):
        for place, name in enumerate(names, 1):
            if name in into.unsupported:
                continue
            progress(f"launch {into.processes + 1}, pass {number + 1} of {plan.passes}, {place} of {len(names)}: {name}")
            try:
                passes.setdefault(name, []).append(Readings(**process.ask("measure", key=name, plan=asdict(plan), first=not number)))
            except UnsupportedError as error:
                into.unsupported[name] = error.why
                continue
            _count(process, name, into)
    for name, readings in passes.items():
        if name not in into.unsupported:
            into.launches.setdefault(name, []).append(launch_of(readings, (made or {}).get(name)))
            into.seconds.setdefault(name, []).extend(x for r in readings for x in r.rounds)
    if into.on_gpu:  # last: a capture that fails empties torch's cache of memory
        _add_device_figures(process, [n for n in names if n in passes and n not in into.unsupported], into, progress)
    for backend, seconds in process.ask("costs")["build_seconds"].items():
        into.build_seconds.setdefault(backend, []).append(seconds)
    into.processes += 1
    measured = [launches[-1].waiting for name, launches in into.launches.items() if name in passes]
    into.crowded += bool(measured) and statistics.median(measured) > CROWDED


def _add_device_figures(process: LaunchProcess, names: Sequence[str], into: Measurement, progress: Callable[[str], None]) -> None:
    """What the GPU itself tells, added to the launch's figures."""
    for name in names:
        progress(f"launch {into.processes + 1}, device time of {name}")
        told = process.ask("device", key=name, seconds=DEVICE_SECONDS)
        into.device.setdefault(name, told)
        figures = {"device_seconds": told["device_seconds"], "joules": told["joules"]}
        into.launches[name][-1] = into.launches[name][-1].model_copy(update=figures)


def run_launches(
    load: Mapping[str, Any],
    effort: Effort,
    undecided: Undecided,
    progress: Callable[[str], None] = lambda _: None,
    restart: Callable[[Measurement], bool] = lambda _: False,
) -> Measurement:
    """Measure until nothing is undecided, or ``effort`` is spent; at least the first look's launches are made.

    Args:
        load: see :func:`request`.
        restart: whether more first calls are wanted. Then the next launches make those of all benchmarks, in the same order:
            what one compiles, the next need not.

    Raises:
        InputError: bad input, or a launch died.
    """
    measured = Measurement()
    began = time.perf_counter()
    wanted: list[str] = []
    starting = True
    for look in effort.looks:
        while measured.processes - measured.crowded < look and measured.processes < PATIENCE * look:
            if measured.processes >= effort.looks[0] and time.perf_counter() - began > effort.seconds:
                break
            with launched(f"launch {measured.processes + 1}", effort.threads, paths=own_paths(), patience=effort.patience) as (process, _):
                progress(f"launch {measured.processes + 1}: loading")
                loaded = process.ask("load", **load, cpus=quietest(processors(), effort.threads))
                if not measured.processes:
                    measured.environment, measured.keys = loaded["environment"], loaded["keys"]
                    wanted = list(measured.keys)
                made = start_all(process, measured.keys if starting else (), measured, progress)
                measure_all(process, wanted, effort.plan, measured, progress, made)
            if not set(measured.keys if starting else wanted) - set(measured.unsupported):  # another launch would find no more
                break
        chosen = set(undecided(measured))
        wanted = [name for name in measured.keys if name in chosen and name not in measured.unsupported]
        starting = restart(measured)
        if not (wanted or starting) or measured.processes - measured.crowded < look:
            break
    return measured
