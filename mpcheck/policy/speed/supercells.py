"""Speed and accuracy over size: supercells and batches, in one process and within a time and the machine's memory."""

from __future__ import annotations

import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass

from mpcheck._cores import processors
from mpcheck._errors import InputError
from mpcheck._memory import free_bytes
from mpcheck.bench.launch.crowding import quietest
from mpcheck.bench.launch.processes import launched, own_paths
from mpcheck.policy.speed.candidates import Candidate
from mpcheck.policy.speed.rounds import RoundPlan
from mpcheck.policy.speed.table import TradeOff, trade_offs
from mpcheck.policy.speed.timing import HANGS, Timings, Workload, one_launch, placed
from mpcheck.policy.speed.timing_worker import ARGUMENTS
from mpcheck.sessions.options import Options

SYSTEM = "builtin:diamond"
SIZES = tuple(range(1, 9))
BATCHES = (1, 4, 8)
"""The thesis' own; see :func:`grid`."""
SECONDS = 120.0
POINT = RoundPlan(seconds=2.0, warmup=2)
ROOM = 0.8  # of the memory that is free


@dataclass(frozen=True)
class SizePoint:
    """One size.

    Attributes:
        rows: of every candidate; empty where it was left out, and ``left_out`` says why.
    """

    system: str
    batch: int
    rows: tuple[TradeOff, ...] = ()
    left_out: str = ""


def grid(sizes: Sequence[int] = SIZES, batches: Sequence[int] = (1,)) -> list[tuple[int, int]]:
    """Sizes and batches that are swept, the fewest atoms first: batches of what is no larger together than the largest size alone.

    Raises:
        InputError: none of one, or one below 1.
    """
    if not sizes or not batches or min(*sizes, *batches) < 1:
        raise InputError("a sweep needs sizes and batches of 1 or more")
    most = max(sizes) ** 3
    return sorted({(n, b) for n in sizes for b in batches if b == 1 or n**3 * b <= most}, key=lambda p: (p[0] ** 3 * p[1], p))


def sweep(
    options: Options,
    candidates: Sequence[Candidate],
    where: Sequence[tuple[int, int]],
    seconds: float = SECONDS,
    plan: RoundPlan | None = None,
    system: str = SYSTEM,
    progress: Callable[[str], None] = lambda _: None,
    free: Callable[[], float] = free_bytes,
) -> list[SizePoint]:
    """Candidates on ``SYSTEM:N`` for every size and batch, in one launch.

    Args:
        where: sizes and batches, the fewest atoms first; see :func:`grid`.
        seconds: of wall time. A point is left out where the one before it, scaled by the number of atoms, says that it would end later, or
            that it would not fit into memory (on a CPU).

    Raises:
        InputError: bad input, or the launch died.
    """
    if not where or not candidates:
        raise InputError("a sweep needs candidates, and sizes and batches of 1 or more")
    progress(f"{len(where)} sizes and batches of {system}:N, {len(candidates)} candidates each, in {seconds:.0f} s at most")
    points: list[SizePoint] = []
    with launched("the sweep's launch", 1, paths=own_paths(), arguments=ARGUMENTS, patience=HANGS) as (process, _):
        environment = process.ask("load", **Workload(options, f"{system}:{where[0][0]}").load(), cpus=quietest(processors(), 1))["environment"]
        began, last = time.perf_counter(), _Cost()
        for size, batch in where:
            name, share = f"{system}:{size}", size**3 * batch / last.cells if last.cells else 0.0
            spent = time.perf_counter() - began
            if why := _too_much(spent, seconds, last.seconds * share, last.bytes * share, free() if options.device == "cpu" else float("inf")):
                points.append(SizePoint(name, batch, left_out=why))
                continue
            progress(f"{name}, batch {batch}" + (f": about {last.seconds * share:.0f} s" if share else ""))
            start = time.perf_counter()
            timings = Timings(environment=environment)
            placed(process, name, batch, timings)
            one_launch(process, {c.id: c for c in candidates}, plan or POINT, timings, progress)
            points.append(SizePoint(name, batch, tuple(trade_offs(timings, candidates, name, batch))))
            last = _Cost(size**3 * batch, time.perf_counter() - start, max(timings.peak.values(), default=0))
    return points


@dataclass(frozen=True)
class _Cost:
    """What the point before took; nothing yet where ``cells`` is 0."""

    cells: int = 0
    seconds: float = 0.0
    bytes: float = 0.0


def _too_much(spent: float, seconds: float, expected: float, memory: float, free: float) -> str:
    """Why a point is left out; empty where it is not."""
    if spent + expected > seconds:
        return f"left out: {spent:.0f} of {seconds:.0f} s are spent, and it would take about {expected:.0f} s"
    if memory > ROOM * free:
        return f"left out: a call would hold about {memory / 2**30:.1f} GiB, and {free / 2**30:.1f} GiB are free"
    return ""
