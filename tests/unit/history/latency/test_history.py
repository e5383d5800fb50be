"""The latency history is only appended to and survives killed writers; changes that last are found, and others are not."""

from __future__ import annotations

import datetime
import json
import multiprocessing
from pathlib import Path
from typing import Any

import pytest

from mpcheck._errors import InputError
from mpcheck.history.latency.history import HistoryEntry, append, entry_of, history_path, read_history
from tests.unit.bench_samples import LINEAR, SLUG, baseline, figures

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
