"""One benchmark over time."""

from __future__ import annotations

import datetime
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from mpcheck._errors import InputError
from mpcheck.history.latency.history import HistoryEntry, append, entry_of, read_history
from mpcheck.history.latency.series import cells_of, change_points, series, series_of
from mpcheck.report.history import draw, write_history_picture
from tests.unit.bench_samples import LINEAR, MODEL, SLUG, baseline, device, figures

START = datetime.datetime(2026, 1, 1, tzinfo=datetime.timezone.utc)


def entry(number: int = 0, milliseconds: float = 1.0, **changes: Any) -> HistoryEntry:
    date = (START + datetime.timedelta(days=number)).isoformat()
    return entry_of(baseline({LINEAR: figures(milliseconds)}, commit=f"{number:012x}", date=date, **changes), "run")


def test_a_series_is_of_one_thing(tmp_path: Path) -> None:
    """Another model, thread count or seed is left out; another version of torch is what drift is about."""
    path = tmp_path / "h.jsonl"
    torch = device(packages={"torch": "2.14.0", "e3nn": "0.4.4"})
    others = [
        entry(1, 9.0, device=device(threads=2)),
        entry(2, 9.0, options={"seed": 1, "l2": True}),
        entry(3, 9.0, systems={"builtin:water": "v"}),
    ]
    for e in (entry(5, 2.0, device=torch), *others, entry(0, 1.0)):  # out of order, as after a merge
        append(path, e)
    found = series(path, LINEAR)
    assert [(p.commit, p.value) for p in found.points] == [(f"{n:012x}", pytest.approx(10.01 * ms)) for n, ms in ((0, 1.0), (5, 2.0))]
    assert found.unit == "all"
    assert series(path, "other").points == []
    assert cells_of(read_history(path).entries, "builtin:water*") == [LINEAR]
    with pytest.raises(InputError, match="no benchmark in the history matches 'nope'"):
        cells_of(read_history(path).entries, "nope")


def test_a_series_without_a_common_yardstick_is_in_milliseconds() -> None:
    old = entry(0, 1.0)
    cell = old.cells[LINEAR].model_copy(update={"normalised": {"stream": 3.0}})
    found = series_of([old.model_copy(update={"cells": {LINEAR: cell}}), entry(1, 2.0)], LINEAR)
    assert (found.unit, found.values) == ("ms", [pytest.approx(1.001), pytest.approx(2.002)])


def stepped() -> list[HistoryEntry]:
    """Ten entries, 10 % slower from the sixth on, with another torch; then 20 % faster from the thirteenth on."""
    rng = np.random.default_rng(10)
    torch = device(packages={"torch": "2.14.0", "e3nn": "0.4.4"})
    level = [1.0] * 6 + [1.1] * 7 + [0.88] * 7
    return [entry(n, ms * float(np.exp(0.005 * rng.standard_normal())), **({"device": torch} if n >= 6 else {})) for n, ms in enumerate(level)]


def test_a_change_names_its_commit_and_versions() -> None:
    first, second = change_points(series_of(stepped(), LINEAR))
    assert (first.index, first.commit, first.before) == (6, f"{6:012x}", f"{5:012x}")
    assert first.versions == ["torch 2.13.0 -> 2.14.0"]
    assert first.low < 0.1 < first.high
    assert first.effect == pytest.approx(0.1, abs=0.02)
    assert (second.commit, second.versions) == (f"{13:012x}", [])
    assert second.effect == pytest.approx(-0.2, abs=0.02)


def test_pictures(tmp_path: Path) -> None:
    found = [series_of(stepped(), LINEAR)]
    figure = draw(found, SLUG)
    (axes,) = figure.axes
    texts = [t.get_text() for t in axes.texts]
    assert len(texts) == 2
    assert all(f"at {n:012x}" in text for n, text in zip((6, 13), texts, strict=True))
    assert list(axes.lines[0].get_ydata()) == found[0].values
    for name, start in (("h.svg", b"<?xml"), ("h.png", b"\x89PNG"), ("h.pdf", b"%PDF")):
        write_history_picture(tmp_path / name, found, SLUG)
        assert (tmp_path / name).read_bytes().startswith(start)
    for path, chosen, expected in (("h.gif", found, "ends in"), ("h.svg", [], "nothing to draw"), ("h.svg", found * 25, "a picture holds 24")):
        with pytest.raises(InputError, match=expected):
            write_history_picture(tmp_path / path, chosen, SLUG)


def test_entries_of_two_benchmarks() -> None:
    both = entry_of(baseline(), "update", "why")
    assert both.cells.keys() == {LINEAR, MODEL}
    assert (both.reason, both.cells[MODEL].launches, both.cells[MODEL].seconds) == ("why", 3, pytest.approx(0.03003))
