"""What a user asks of a bench session, and whether it makes sense."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from mpcheck._cores import processors
from mpcheck._errors import InputError
from mpcheck.formats import FORMATS
from mpcheck.sessions.bench import BenchOptions
from mpcheck.sessions.bench.options import checked, narrowed, parse_batches


@pytest.mark.parametrize(
    ("changes", "expected"),
    [
        ({"launches": 1}, "--launches 1: one process says nothing of how processes vary; give 2 or more"),
        ({"launches": -3}, "--launches -3: give a positive number"),
        ({"seconds": -1.0}, "--seconds -1.0: give a positive number"),
        ({"seconds": float("inf")}, "--seconds inf: give a positive number"),
        ({"margin": -0.1}, "--margin -0.1: give a positive number"),
        ({"margin": float("nan")}, "--margin nan: give a positive number"),
        ({"threads": 0}, "--threads 0: a launch can have 1 to"),
        ({"threads": 10**6}, "--threads 1000000: a launch can have 1 to"),
        ({"batches": ()}, "--batch 0: give whole numbers from 1"),
        ({"batches": (1, 0)}, "--batch 0: give whole numbers from 1"),
        ({"batches": (-1,)}, "--batch -1: give whole numbers from 1"),
        ({"batches": (10**9,)}, "--batch 1000000000: give whole numbers from 1"),
    ],
)
def test_numbers_that_make_no_sense(changes: dict[str, Any], expected: str) -> None:
    with pytest.raises(InputError) as told:
        checked(BenchOptions(**changes))
    assert str(told.value).startswith(expected)


def test_numbers_that_do() -> None:
    good = BenchOptions(launches=2, seconds=0.5, margin=0.0, threads=len(processors()) or 1, batches=(1, 64))
    assert checked(good) is good


def test_batches_as_typed() -> None:
    assert parse_batches(["1", "16"]) == (1, 16) and parse_batches(["-1"]) == (-1,)
    for text in ("abc", "1.5", "", "²", "1e3", "0x1", "--1"):
        with pytest.raises(InputError, match="give whole numbers from 1"):
            parse_batches([text])


def test_defaults_depend_on_the_device(cache: Path) -> None:
    assert narrowed(BenchOptions(formats=(), systems=("builtin:water",), cache=cache)).formats == ("float32",)
    assert narrowed(BenchOptions(formats=(), systems=("builtin:water",), device="cuda", cache=cache)).formats == tuple(FORMATS)
    assert len(narrowed(BenchOptions(cache=cache)).systems) == 1
