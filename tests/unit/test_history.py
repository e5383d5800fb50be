"""The latency history is only appended to and survives killed writers; changes that last are found, and others are not."""

from __future__ import annotations

import datetime
import json
import multiprocessing
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
import pytest

from mpcheck._errors import InputError
from mpcheck.history.latency.change_points import MIN_SIZE, shifts
from mpcheck.history.latency.history import HistoryEntry, append, entry_of, history_path, read_history
from mpcheck.history.latency.series import cells_of, change_points, series, series_of
from mpcheck.report.history import draw, write_history_picture
from tests.unit.bench_samples import LINEAR, MODEL, SLUG, baseline, device, figures

START = datetime.datetime(2026, 1, 1, tzinfo=datetime.timezone.utc)


def entry(number: int = 0, milliseconds: float = 1.0, **changes: Any) -> HistoryEntry:
    date = (START + datetime.timedelta(days=number)).isoformat()
    return entry_of(baseline({LINEAR: figures(milliseconds)}, commit=f"{number:012x}", date=date, **changes), "run")


def test_appends_and_reads_back(tmp_path: Path) -> None:
    path = history_path(tmp_path, SLUG)
    assert read_history(path).entries == []
    lines: list[bytes] = []
    for number in range(3):
        append(path, entry(number))
        now = path.read_bytes().splitlines()
        assert now[:number] == lines
        lines = now
    assert read_history(path).entries == [entry(n) for n in range(3)]


def test_a_truncated_line_is_named_and_not_glued_to(tmp_path: Path) -> None:
    path = tmp_path / "h.jsonl"
    for number in range(2):
        append(path, entry(number))
    whole = path.read_bytes()
    path.write_bytes(whole[:-100])
    append(path, entry(2))
    assert path.read_bytes().startswith(whole[:-100] + b"\n")
    found = read_history(path)
    assert found.entries == [entry(0), entry(2)]
    (line,) = found.damaged
    assert f"{path} line 2: not valid JSON" in line


@pytest.mark.parametrize(
    ("old", "new", "expected"),
    [
        ('"schema_version":1', '"schema_version":7', "schema_version is 7"),
        ('"suite":"bench-history"', '"suite":"bench"', "suite is 'bench'"),
        ('"kind":"run"', '"kind":"walk"', "field kind"),
        ('"launches":3', '"launches":0', "launches"),
        ('"seconds":', '"seconds":-', "seconds"),
    ],
)
def test_a_wrong_line_is_refused_with_its_number(old: str, new: str, expected: str, tmp_path: Path) -> None:
    path = tmp_path / "h.jsonl"
    append(path, entry(0))
    append(path, entry(1))
    first, second = path.read_text().splitlines()
    assert old in second
    path.write_text(f"{first}\n{second.replace(old, new)}\n")
    with pytest.raises(InputError, match=expected) as refusal:
        read_history(path)
    assert f"{path} line 2" in str(refusal.value)


@pytest.mark.parametrize(("text", "expected"), [('"seconds":NaN', "NaN"), ('"seconds":1e999', "1e999"), ('"seconds":1,"seconds":2', "twice")])
def test_numbers_that_are_none_are_damage(text: str, expected: str, tmp_path: Path) -> None:
    path = tmp_path / "h.jsonl"
    append(path, entry(0))
    data = path.read_text()
    value = json.loads(data)["cells"][LINEAR]["seconds"]
    path.write_text(data.replace(f'"seconds":{value}', text))
    found = read_history(path)
    assert found.entries == []
    assert expected in found.damaged[0]


def test_a_place_that_cannot_be_written(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    with pytest.raises(InputError, match="cannot write"):
        append(tmp_path / "file" / "h.jsonl", entry())
    (tmp_path / "h.jsonl").mkdir()
    with pytest.raises(InputError, match="is a directory, not a file"):
        append(tmp_path / "h.jsonl", entry())
    with pytest.raises(InputError, match="directory"):
        read_history(tmp_path / "h.jsonl")


def _writer(path: Path, first: int) -> None:
    for number in range(first, first + 15):
        append(path, entry(number))


@pytest.mark.slow
def test_two_writers_lose_nothing(tmp_path: Path) -> None:
    path = tmp_path / "h.jsonl"
    context = multiprocessing.get_context("spawn")
    processes = [context.Process(target=_writer, args=(path, first)) for first in (0, 15)]
    for process in processes:
        process.start()
    for process in processes:
        process.join(timeout=120)
    assert [process.exitcode for process in processes] == [0, 0]
    found = read_history(path)
    assert not found.damaged
    assert sorted(int(e.commit, 16) for e in found.entries) == list(range(30))


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


KINDS = ("white", "heavy tails", "spikes", "autoregressive")
Noise = npt.NDArray[np.float64]


def noise(kind: str, length: int, rng: np.random.Generator) -> Noise:
    """Of about unit standard deviation."""
    white: Noise = rng.standard_normal(length)
    if kind == "heavy tails":
        return np.asarray(rng.standard_t(3, length) / np.sqrt(3))
    if kind == "spikes":
        white[rng.choice(length, max(1, length // 20), replace=False)] += rng.choice([-1, 1]) * rng.uniform(5, 25)
    if kind == "autoregressive":
        for i in range(1, length):
            white[i] = 0.3 * white[i - 1] + np.sqrt(1 - 0.3**2) * white[i]
    return white


@pytest.mark.parametrize(("level", "allowed"), [(0.015, 2), (0.04, 8)])
@pytest.mark.parametrize("kind", KINDS)
def test_unchanged_series_have_no_changes(kind: str, level: float, allowed: int) -> None:
    """250 of each kind at each level. At noise 1.5 %: at most 1 % of all; far above the margin, correlated noise passes more often."""
    rng = np.random.default_rng([7, KINDS.index(kind)])
    false = sum(bool(shifts(np.exp(level * noise(kind, int(rng.integers(10, 61)), rng)).tolist())) for _ in range(250))
    assert false <= allowed


def test_a_lasting_step_is_found() -> None:
    """5 % at noise 1.5 %, at least five points on each side: in 90 % of series, within two points, and its interval is honest."""
    rng = np.random.default_rng(8)
    near = covered = 0
    for _ in range(300):
        length = int(rng.integers(10, 61))
        place = int(rng.integers(5, length - 4))
        y = 0.015 * noise("white", length, rng)
        y[place:] += np.log(1.05)
        found = [s for s in shifts(np.exp(y).tolist()) if abs(s.index - place) <= 2]
        near += bool(found)
        covered += bool(found) and found[0].low <= np.log(1.05) <= found[0].high
    assert near >= 0.9 * 300
    assert covered >= 0.9 * near


def test_a_step_is_found_among_spikes() -> None:
    rng = np.random.default_rng(12)
    near = 0
    for _ in range(200):
        length = int(rng.integers(16, 61))
        place = int(rng.integers(8, length - 7))
        y = 0.015 * noise("spikes", length, rng)
        y[place:] += np.log(1.05)
        near += any(abs(s.index - place) <= 2 for s in shifts(np.exp(y).tolist()))
    assert near >= 0.92 * 200


def test_what_does_not_last_or_matter_is_no_change() -> None:
    rng = np.random.default_rng(9)
    y = np.exp(0.002 * rng.standard_normal(40))
    assert shifts(y.tolist()) == []
    assert shifts((y * np.where(np.arange(40) == 20, 1.5, 1.0)).tolist()) == []  # one point
    assert shifts((y * np.where(np.isin(np.arange(40), [20, 21]), 1.5, 1.0)).tolist()) == []  # two
    assert shifts((y * np.where(np.arange(40) < 20, 1.0, 1.015)).tolist()) == []  # certain, but within the margin
    assert len(shifts((y * np.where(np.arange(40) < 20, 1.0, 1.03)).tolist())) == 1
    assert shifts([1.0] * 30) == []
    assert shifts([1.0] * (2 * MIN_SIZE - 1)) == []
    assert [s.index for s in shifts([1.0] * 6 + [1.1] * 6)] == [6]  # without any noise


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
