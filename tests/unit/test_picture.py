"""The picture of a run: every judged tensor is in it, and a failing one stands out."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest

from mpcheck.records.document import Records
from mpcheck.records.environment import describe
from mpcheck.records.record import Record
from mpcheck.report.picture import draw, write_picture
from tests.unit.accounts import fields


@pytest.fixture
def run(judge: Callable[..., Record]) -> Records:
    cells = [judge("products.0.linear", fmt, "backward", backend) for fmt in ("float32", "bfloat16") for backend in ("e3nn", "cueq")]
    head = {"suite": "precision", "mpcheck": "0", "environment": describe("cpu"), "model": {"name": "m", "digest": "d"}}
    return Records(**head, systems=[], options={}, **fields(cells))


def points(run: Records) -> list[tuple[int, int]]:
    """Per panel: dots, and marks of failures."""
    found = []
    for axes in draw(run).axes:
        sizes = [(len(c.get_offsets()), float(c.get_sizes()[0])) for c in axes.collections]
        found.append((sum(n for n, size in sizes if size < 10), sum(n for n, size in sizes if size > 10)))
    return found


def test_every_tensor_is_a_dot(run: Records) -> None:
    expected = [sum(len(c.quantities) for c in run.records if c.backend == b) for b in ("e3nn", "cueq")]
    assert points(run) == [(expected[0], 0), (expected[1], 0)]


def test_a_failing_tensor_is_marked(run: Records) -> None:
    cell = run.records[0]
    bad = cell.quantities[0].model_copy(update={"rms": None, "failures": ["rms ratio inf"]})
    red = cell.model_copy(update={"verdict": "fail", "quantities": [bad, *cell.quantities[1:]]})
    assert points(run.model_copy(update={"cells": [red, *run.records[1:]]}))[0][1] == 1


def test_the_file_is_a_png(run: Records, tmp_path: Path) -> None:
    write_picture(tmp_path / "p.png", run)
    assert (tmp_path / "p.png").read_bytes()[:8] == b"\x89PNG\r\n\x1a\n"
    assert list(tmp_path.iterdir()) == [tmp_path / "p.png"]
