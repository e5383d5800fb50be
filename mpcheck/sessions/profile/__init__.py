"""The profile session: where a model's time goes, block by block, and e3nn against the other backends. It judges nothing."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Annotated

from mpcheck._files.kinds import GZIP, SVG
from mpcheck._names import COST_MODEL, LATENCY, PROFILE, SWEEP
from mpcheck.sessions.contract import SessionSpec
from mpcheck.sessions.options import FORMAT, SYSTEM, Option, Options


@dataclass(frozen=True)
class ProfileOptions(Options):
    """What the profile session takes.

    Attributes:
        works: of the whole model; batch: how often the system is repeated in one batch.
        warmup: calls before anything is measured; calls: that are profiled for each map, at most.
        sweep: whether batch sizes and angular orders are swept, too; sweep_seconds: for that.
    """

    systems: Annotated[tuple[str, ...], replace(SYSTEM, help="builtin:NAME[:N] or FILE[@SLICE]; default: the first that fits", single=True)] = ()
    formats: Annotated[tuple[str, ...], replace(FORMAT, help="number format; default: float32")] = ()
    works: Annotated[tuple[str, ...], Option("energy or energy+forces; default: both", parse="mpcheck.bench.keys:check_work")] = ()
    batch: Annotated[int, Option("how often the system is repeated in one batch", metavar="N", least=1, most=100_000)] = 1
    warmup: Annotated[int, Option("calls before anything is measured", metavar="N", least=0)] = 5
    calls: Annotated[int, Option("profiled calls of each map, at most", metavar="N", least=1)] = 24
    sweep: Annotated[bool, Option("also time the backends over batch size and l_max, on a small model")] = False
    sweep_seconds: Annotated[float, Option("for the sweep; what does not fit is named", metavar="S", least=1)] = 80.0


SESSION = SessionSpec(
    name="profile",
    title="Map a model's time to its blocks: host, kernels, launches, forward and backward, per backend; with a trace for Perfetto.",
    order=50,
    options=ProfileOptions,
    without=("blocks", "cache", "require", "tolerances", "shard"),
    start="mpcheck.sessions.profile.start:start",
    checks=(PROFILE, COST_MODEL, SWEEP, LATENCY),
    compared="nothing",
    shown="mpcheck.sessions.profile.tables:SHOWING",
    judges=False,
    parallel=False,
    sides="head",
    extra=(("profile-*.svg", SVG), ("profile-*.gz", GZIP)),
)
