"""What a user asks of a bench session, and whether it makes sense."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import replace

from mpcheck._cores import processors
from mpcheck._errors import InputError
from mpcheck.bench.keys import BLOCK_WORK, MODEL_WORK
from mpcheck.formats import FLOAT32, FORMATS
from mpcheck.sessions.bench import BenchOptions
from mpcheck.sessions.run import Session

MOST_FRAMES = 100_000  # in a batch: more is a typing error


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


def narrowed(options: BenchOptions) -> BenchOptions:
    """The session's defaults where the user named no system, format or work."""
    formats = options.formats or ((FLOAT32.name,) if options.device == "cpu" else tuple(FORMATS))
    chosen = replace(options, formats=formats, works=options.works or (*BLOCK_WORK, *MODEL_WORK))
    return chosen if options.systems else replace(chosen, systems=tuple(Session(chosen).systems)[:1])
