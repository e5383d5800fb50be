"""Stored ratios: what repeated runs make of them, what reads back, and what loosens them."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from mpcheck._errors import InputError
from mpcheck.history.ratios import Baseline, baseline_path, changes, collect, read_baseline, write_baseline
from mpcheck.judge.tolerances import DriftLimits
from tests.unit.record_samples import cell, quantity

LIMITS = DriftLimits(growth=0.1, spreads=3.0, floor=0.03, reason="made up")
CELL = cell().id


def stored(ratio: float = 0.6, **changes: Any) -> Baseline:
    own = {
        "schema_version": 1, "suite": "precision", "device": "cpu-test", "provenance": {}, "model": {"name": "m", "digest": "d"},
        "systems": {"builtin:water": "w"}, "seed": 0, "cells": {CELL: {"out": [ratio, 0.0, 0.0, 0.0]}},
    }  # fmt: skip
    return Baseline(**{**own, **changes})


def test_entries_are_means_of_repeated_runs_and_their_spreads() -> None:
    runs = [[cell(quantities=[quantity(rms=rms, signed_bias=bias)])] for rms, bias in ((0.5, 0.1), (0.7, -0.1), (0.9, 0.3))]
    assert collect(runs) == {CELL: {"out": [0.7, 0.1, 0.2, 0.2]}}
    assert collect([[cell(quantities=[quantity(rms=None)])]]) == {}


def test_a_baseline_is_of_one_model_structure_and_seed() -> None:
    b = stored()
    assert b.matches("d", "builtin:water", "w", 0)
    assert not any([b.matches("e", "builtin:water", "w", 0), b.matches("d", "builtin:water", "x", 0), b.matches("d", "builtin:water", "w", 1)])


def test_comes_back_as_written(tmp_path: Path) -> None:
    path = baseline_path(tmp_path, "cpu-test")
    assert read_baseline(path) is None
    write_baseline(path, stored(references={"s/b": {"value:out": [1.0, 2.0]}}))
    assert read_baseline(path) == stored(references={"s/b": {"value:out": [1.0, 2.0]}})


@pytest.mark.parametrize(
    ("damage", "named"),
    [
        (lambda d: d["cells"][CELL].update(out=[0.6, 0.0]), "four finite numbers"), (lambda d: d.update(seed="0"), "seed"),
        (lambda d: d.update(references={"s/b": {"value:out": []}}), "references.s/b.value:out"), (lambda d: d.update(suite="bench"), "bench"),
    ],
)  # fmt: skip
def test_damage_is_named(damage: Callable[[dict[str, Any]], Any], named: str, tmp_path: Path) -> None:
    path = baseline_path(tmp_path, "cpu-test")
    write_baseline(path, stored())
    data = json.loads(path.read_text())
    damage(data)
    path.write_text(json.dumps(data))
    with pytest.raises(InputError) as told:
        read_baseline(path)
    assert named in str(told.value)


@pytest.mark.parametrize(
    ("new", "line", "loosens"),
    [
        (stored(0.7), f"{CELL} out: ratio 0.6 -> 0.7", True), (stored(0.5), f"tighter {CELL} out: ratio 0.6 -> 0.5", False),
        (stored(cells={}), f"removed cell {CELL}", True), (stored(cells={**stored().cells, "more": {}}), "new cell more", False),
        (stored(cells={CELL: {**stored().cells[CELL], "more": [1.0, 0.0, 0.0, 0.0]}}), f"new quantity {CELL} more", False),
    ],
)  # fmt: skip
def test_what_an_update_changes_and_what_of_that_loosens(new: Baseline, line: str, loosens: bool) -> None:
    assert changes(stored(), new, LIMITS) == ([line], [line] if loosens else [])


def test_small_changes_and_first_baselines() -> None:
    assert changes(stored(), stored(0.62), LIMITS) == ([], [])
    assert changes(None, stored(), LIMITS) == (["new baseline with 1 cells"], [])
