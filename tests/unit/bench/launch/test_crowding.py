"""Which processors are quiet."""

from __future__ import annotations

import time
from pathlib import Path

import pytest

from mpcheck.bench.launch import crowding
from mpcheck.bench.launch.crowding import busy_ticks, quietest

LINES = "cpu  9 9 9 9 9 9 9 9 9 9\ncpu0 {} 0 0 {} 0 0 0 0 0 0\ncpu1 {} 0 0 {} 0 0 0 0 0 0\nintr 5 0\n"


def test_ticks_in_use_are_all_but_idle_and_waiting_for_disks_and_stolen_ones_are_in_use() -> None:
    assert busy_ticks("cpu3 10 1 2 50 7 3 4 5 9 9\n") == {3: (25, 82)}


def test_the_processor_that_others_use_least_is_chosen(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    stat = tmp_path / "stat"
    stat.write_text(LINES.format(0, 0, 0, 0))

    def passes(_: float) -> None:
        stat.write_text(LINES.format(30, 0, 2, 28))

    monkeypatch.setattr(time, "sleep", passes)
    assert quietest([0, 1], 1, source=stat) == [1]
    stat.write_text(LINES.format(30, 0, 2, 28))
    monkeypatch.setattr(time, "sleep", lambda _: stat.write_text(LINES.format(31, 29, 32, 28)))
    assert quietest([0, 1], 1, source=stat) == [0]
    assert quietest([0, 1], 2, source=stat) == [0, 1]


def test_only_processors_that_the_process_may_use_are_chosen(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    stat = tmp_path / "stat"
    stat.write_text(LINES.format(0, 0, 0, 0))
    monkeypatch.setattr(time, "sleep", lambda _: stat.write_text(LINES.format(0, 30, 30, 0)))
    assert quietest([1], 1, source=stat) == [1]


def test_where_nobody_can_tell_the_last_ones_are_taken(tmp_path: Path) -> None:
    assert quietest([4, 5, 6], 2, source=tmp_path / "none") == [5, 6]
    (tmp_path / "odd").write_text("cpu0 x y\n")
    assert quietest([4, 5, 6], 1, seconds=0.0, source=tmp_path / "odd") == [6]
    assert quietest([], 1, seconds=0.0) == []
    assert crowding.WATCHED > 0
