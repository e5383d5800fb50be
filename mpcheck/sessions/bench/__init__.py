"""The bench session: latency and cost of every block and of the whole model, against what is stored or base against head."""

from __future__ import annotations

from dataclasses import dataclass, replace
from pathlib import Path
from typing import Annotated

from mpcheck._files.kinds import BENCHMARKS, SVG, stored_of
from mpcheck._names import BENCH, COVERAGE, LATENCY
from mpcheck.sessions.contract import SessionSpec
from mpcheck.sessions.options import BASELINES, BLOCK, FORMAT, SYSTEM, Option, Options

MARGIN, LAUNCHES, SECONDS = 0.02, 5, 600.0
"""What is taken base against head where an option is 0 (:mod:`mpcheck.bench.decide.decision`)."""


BATCH = Option(
    "repeat a system's frames so often in one graph batch; default: 1", name="batch", metavar="N",
    parse="mpcheck.sessions.bench.options:parse_batches",
)  # fmt: skip
WORK = Option("forward, forward+backward (blocks), energy, energy+forces (model); default: all", parse="mpcheck.bench.keys:check_work")


@dataclass(frozen=True)
class BenchOptions(Options):
    """What the bench session takes. No systems or formats mean its own defaults: the first default system; float32 on a CPU, every format
    on CUDA.

    Attributes:
        batches: how often a system's frames are repeated in one graph; works: what is timed, empty for all.
        against: another environment or commit for base against head; empty for the stored baseline.
        baselines: their directory; None for ``./baselines``.
        launches: at least this many processes; 0 for the default. seconds: after which none is started any more; 0 for the default.
        margin: tolerated relative slow-down; 0 for the mode's default.
        threads: of each launch. flush_l2: clear a GPU's L2 cache before every timed call.
        calibrate: ``stored`` or ``ab``: measure the rate of false alarms instead.
    """

    systems: Annotated[tuple[str, ...], replace(SYSTEM, help="builtin:NAME[:N] or FILE[@SLICE]; default: the first default one")] = ()
    formats: Annotated[tuple[str, ...], replace(FORMAT, help="number format; default: float32 on a CPU, all on CUDA", rule="patterns")] = ()
    blocks: Annotated[tuple[str, ...], replace(BLOCK, help="block, as a glob pattern, or model; default: all")] = ()
    batches: Annotated[tuple[int, ...], BATCH] = (1,)
    works: Annotated[tuple[str, ...], WORK] = ()
    against: Annotated[str, Option("a Python environment, or a commit of this repository: base against head", metavar="ENV|REF")] = ""
    baselines: Annotated[Path | None, BASELINES] = None
    launches: Annotated[
        int, Option("at least so many launches (processes)", metavar="N", least=0, gate=True, rule="more is stricter", usual=LAUNCHES)
    ] = 0
    seconds: Annotated[
        float, Option("start no further launch after so many seconds", metavar="S", least=0, gate=True, rule="more is stricter", usual=SECONDS)
    ] = 0.0
    margin: Annotated[
        float, Option("tolerated relative slow-down, e.g. 0.02", metavar="X", least=0, gate=True, rule="less is stricter", usual=MARGIN)
    ] = 0.0
    threads: Annotated[int, Option("threads of a launch, each on a processor of its own", metavar="N", least=1, gate=True)] = 1
    flush_l2: Annotated[bool, Option("clear a GPU's L2 cache before every timed call")] = False
    calibrate: Annotated[str, Option("stored or ab: measure how often identical code is called slower here", metavar="MODE", command_only=True)] = ""

    @property
    def directory(self) -> Path:
        """Of baselines."""
        return self.baselines or Path("baselines")


SESSION = SessionSpec(
    name="bench",
    title="Time every block and the whole model, count what they cost, and say what got slower.",
    gated=True,
    order=40,
    options=BenchOptions,
    without=("tolerances", "cache"),
    start="mpcheck.sessions.bench.start:start",
    work="mpcheck.sessions.bench.work:BenchWork",
    folder="benchmarks",
    checks=(*BENCH, COVERAGE),
    block_checks=(LATENCY,),
    model_block=True,
    columns=("system", "subject", "backend", "format"),
    compared="latencies",
    scale="the baseline",
    shown="mpcheck.report.bench:SHOWING",
    parallel=False,
    sides="head",
    against="against",
    own_settings=("blocks", "formats", "launches", "seconds", "threads"),
    extra=(("bench.svg", SVG), ("bench-figures.json", stored_of("bench")), ("pytest-benchmark.json", BENCHMARKS)),
    pytest_words=("--benchmark-quiet", "--benchmark-storage=file://{out}", "--benchmark-json={out}/pytest-benchmark.json"),
)
