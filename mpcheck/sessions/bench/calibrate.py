"""Measure a machine's own rate of false alarms: identical code against itself, by the gate's own rules."""

from __future__ import annotations

import sys
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import Literal

from mpcheck._errors import InputError
from mpcheck._files.stored import now
from mpcheck.bench.decide.decision import LatencyVerdict, Rule, judge, paired_sample
from mpcheck.bench.decide.verdicts import PAIRED, STORED, stored_verdicts
from mpcheck.bench.figures import BenchFigures
from mpcheck.bench.launch.measurement import PAIRED_EFFORT, STORED_EFFORT, Effort, request, run_launches
from mpcheck.bench.launch.paired import MeasuredSide, run_paired
from mpcheck.bench.launch.processes import own_paths
from mpcheck.history.latency.aa_rate import AARate, aa_path, read_aa, store_aa
from mpcheck.records.environment import commit
from mpcheck.sessions.bench import BenchOptions
from mpcheck.sessions.bench.run import BenchRun

BASE_LAUNCHES = 8
LAUNCHES = {"stored": 32, "ab": 30}


def _groups(total: int, looks: tuple[int, ...]) -> Iterator[tuple[int, int]]:
    """Consecutive launches, as many as a run's last look would use: (from, to)."""
    for start in range(0, total - looks[-1] + 1, looks[-1]):
        yield start, start + looks[-1]


def calibrate(mode: Literal["stored", "ab"], options: BenchOptions) -> tuple[Path, AARate]:
    """Compare this environment with itself and store how often it was called slower.

    Every group of launches that a run would make is judged at each of the run's looks, as it would be; a benchmark that is
    called slower at any of them is an alarm.

    Raises:
        InputError: bad input, or too few launches for one comparison.
    """
    if options.against:
        raise InputError(f"--against {options.against}: calibrating compares this environment with itself; leave it out")
    run = BenchRun(options)
    path = aa_path(options.directory, run.device.slug)
    read_aa(path)  # a damaged one is told of before hours are spent
    usual = STORED_EFFORT if mode == "stored" else PAIRED_EFFORT
    count = options.launches or LAUNCHES[mode]
    least = usual.looks[-1] + (BASE_LAUNCHES if mode == "stored" else 0)
    if count < least:
        raise InputError(f"--launches {count}: calibrating needs at least {least}")
    load = request(run.session.options, options.batches, run.options.works, options.flush_l2)
    effort = replace(usual, looks=(count,), seconds=float("inf"), threads=options.threads)
    rounds = _stored(run, load, effort, usual.looks) if mode == "stored" else _paired(run, load, effort, usual.looks)
    comparisons = alarms = 0
    for verdicts in rounds:
        comparisons += len(verdicts[0])
        alarms += len({n for look in verdicts for n, v in look.items() if v.decision == "slower"})
    if not comparisons:
        raise InputError("calibrating: no benchmark ran in every launch; choose others with --block, --backend or --format")
    rate = AARate(
        commit=commit(), date=now(), mode=mode, comparisons=comparisons, alarms=alarms, nominal=(STORED if mode == "stored" else PAIRED).alpha
    )
    store_aa(path, run.device, rate)
    return path, rate


def _stored(run: BenchRun, load: dict[str, object], effort: Effort, looks: tuple[int, ...]) -> Iterator[list[dict[str, LatencyVerdict]]]:
    measurement = run_launches(load, effort, lambda _: [], run.progress)
    rule = replace(STORED, looks=len(looks))
    ran = {n: f.launches for n, f in measurement.figures.items() if len(f.launches) == measurement.processes}
    base = {n: BenchFigures(launches=launches[:BASE_LAUNCHES]) for n, launches in ran.items()}
    heads = {n: launches[BASE_LAUNCHES:] for n, launches in ran.items()}
    for start, _ in _groups(effort.looks[0] - BASE_LAUNCHES, looks):
        yield [
            {n: v for n, (v, _) in stored_verdicts({m: BenchFigures(launches=h[start : start + look]) for m, h in heads.items()}, base, rule).items()}
            for look in looks
        ]


def _paired(run: BenchRun, load: dict[str, object], effort: Effort, looks: tuple[int, ...]) -> Iterator[list[dict[str, LatencyVerdict]]]:
    base, head = (MeasuredSide(name, sys.executable, own_paths()) for name in ("base", "head"))
    measurement = run_paired(base, head, load, effort, lambda _: [], run.progress)
    ran = {n: d for n, d in measurement.differences.items() if len(d) == measurement.pairs}
    rule: Rule = replace(PAIRED, looks=len(looks))
    for start, _ in _groups(effort.looks[0], looks):
        yield [judge({n: paired_sample(d[start : start + look]) for n, d in ran.items()}, rule) for look in looks]
