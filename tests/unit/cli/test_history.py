"""`mpcheck history` as its users run it: lasting changes of latencies, and pictures of them."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from mpcheck._errors import InputError
from mpcheck.cli.history import history_app
from mpcheck.history.latency.history import HistoryEntry, append, entry_of, history_path
from tests.unit.bench_samples import LINEAR, SLUG, baseline, device, figures
from tests.unit.commands import run


def stepped() -> list[HistoryEntry]:
    """A day each: 10 % slower from the seventh on, with another torch, and 20 % faster from the fourteenth on."""
    rng, made = np.random.default_rng(10), []
    for n, level in enumerate([1.0] * 6 + [1.1] * 7 + [0.88] * 7):
        cells = {LINEAR: figures(level * float(np.exp(0.005 * rng.standard_normal())))}
        packages = {"torch": "2.14.0" if n >= 6 else "2.13.0", "e3nn": "0.4.4"}
        made.append(entry_of(baseline(cells, f"{n:012x}", f"2026-01-{n + 1:02}T00:00:00+00:00", device=device(packages=packages)), "run"))
    return made


def test_history(place: Path) -> None:
    path = history_path(place, SLUG)
    with pytest.raises(InputError, match="no latency history"):
        run(history_app, "changes", "--dir", place)
    for e in stepped():
        append(path, e)
    said = run(history_app, "changes", "--dir", place)
    assert f"{6:012x} {5:012x}" in said
    assert "torch 2.13.0 -> 2.14.0" in said
    assert "2 lasting changes in 1 benchmarks" in said
    out = place / "drift.svg"
    assert "20 entries" in run(history_app, "plot", "*linear*", "--out", out, "--dir", place)
    assert out.read_bytes().startswith(b"<?xml")
    with pytest.raises(InputError, match="ends in"):
        run(history_app, "plot", "*", "--out", place / "drift.txt", "--dir", place)
    with pytest.raises(InputError, match="matches 'nope'"):
        run(history_app, "plot", "nope", "--out", out, "--dir", place)
    append(history_path(place, "cuda-made-up"), entry_of(baseline(), "run"))
    with pytest.raises(InputError, match="choose one with --device"):
        run(history_app, "changes", "--dir", place)
    assert "too few to tell" in run(history_app, "changes", "--dir", place, "--device", "cuda-made-up")


def test_an_unchanged_history_has_no_changes(place: Path) -> None:
    rng = np.random.default_rng(3)
    for e in stepped()[:1]:
        for _ in range(15):
            wobble = float(np.exp(0.01 * rng.standard_normal()))
            cells = {n: c.model_copy(update={"normalised": {k: x * wobble for k, x in c.normalised.items()}}) for n, c in e.cells.items()}
            append(history_path(place, SLUG), e.model_copy(update={"cells": cells}))
    assert "0 lasting changes in 1 benchmarks" in run(history_app, "changes", "--dir", place)
