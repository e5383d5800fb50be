"""What a user asks of a bench session, and whether it makes sense."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path

from mpcheck._errors import InputError
from mpcheck.bench.keys import BLOCK_WORK, MODEL_WORK, Work
from mpcheck.bench.work.pinning import processors
from mpcheck.sessions.run import Options, Session

MOST_FRAMES = 100_000  # in a batch: more is a typing error


@dataclass(frozen=True)
class BenchOptions:
    """What a user asked for.

    Attributes:
        session: model, systems, device, backends, formats, blocks. No systems or formats mean the session's own defaults: the
            first default system; float32 on a CPU, every format on CUDA.
        batches: how often a system's frames are repeated in one graph; works: what is timed.
        against: another environment or commit for base against head; empty for the stored baseline.
        directory: of baselines.
        launches: at least this many; 0 for the default. seconds: after which no further launch is started; 0 for the default.
        margin: tolerated relative slow-down; 0 for the mode's default.
        threads: of each launch.
        flush_l2: clear a GPU's L2 cache before every timed call.
    """

    session: Options = field(default_factory=Options)
    batches: tuple[int, ...] = (1,)
    works: tuple[Work, ...] = (*BLOCK_WORK, *MODEL_WORK)
    against: str = ""
    directory: Path = Path("baselines")
    launches: int = 0
    seconds: float = 0.0
    margin: float = 0.0
    threads: int = 1
    flush_l2: bool = False


def checked(options: BenchOptions) -> BenchOptions:
    """The options, where their numbers make sense.

    Raises:
        InputError: one that does not; names it.
    """
    for name, value in (("launches", options.launches), ("seconds", options.seconds), ("margin", options.margin)):
        if not (math.isfinite(value) and value >= 0):
            raise InputError(f"--{name} {value}: give a positive number, or 0 for the default")
    if options.launches == 1:
        raise InputError("--launches 1: one process says nothing of how processes vary; give 2 or more")
    available = len(processors()) or 1
    if not 1 <= options.threads <= available:
        raise InputError(f"--threads {options.threads}: a launch can have 1 to {available} threads here")
    for batch in options.batches or (0,):
        if not 1 <= batch <= MOST_FRAMES:
            raise InputError(f"--batch {batch}: give whole numbers from 1 to {MOST_FRAMES}, e.g. 1,4,8")
    return options


def parse_batches(texts: Sequence[str]) -> tuple[int, ...]:
    """Batches as a user typed them.

    Raises:
        InputError: no whole number.
    """
    for text in texts:
        if not text.removeprefix("-").isdecimal():
            raise InputError(f"--batch {text}: give whole numbers from 1 to {MOST_FRAMES}, e.g. 1,4,8")
    return tuple(int(text[:12]) for text in texts)


def narrowed(options: Options) -> Options:
    """The bench session's defaults where the user named no system or format."""
    formats = options.formats or (("float32",) if options.device == "cpu" else Options().formats)
    found = replace(options, formats=formats)
    return found if options.systems else replace(found, systems=tuple(Session(found).systems)[:1])
