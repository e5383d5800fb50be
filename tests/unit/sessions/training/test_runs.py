"""A training is done once, whoever asks, and not by what another run has left."""

from __future__ import annotations

import gc
import multiprocessing
import os
import time
from pathlib import Path
from typing import Any

import pytest

from mpcheck._names import RUN_VARIABLE as RUN
from mpcheck.records.record import Record
from mpcheck.sessions.training.runs import PREFIX, STALE, Runs


def made(place: Path) -> Record:
    with place.open("a") as stream:
        stream.write("x")
    time.sleep(0.2)
    return Record(check="training", verdict="pass")


def _ask(runs: Runs, place: Path) -> None:
    runs.once("one", lambda: made(place))
    os._exit(0)


def test_processes_of_a_run_share_what_one_has_done(tmp_path: Path) -> None:
    runs, context = Runs(), multiprocessing.get_context("fork")
    processes: list[Any] = [context.Process(target=_ask, args=(runs, tmp_path / "count")) for _ in range(3)]
    for process in processes:
        process.start()
    for process in processes:
        process.join()
    assert runs.once("one", lambda: made(tmp_path / "count")).verdict == "pass"
    assert (tmp_path / "count").read_text() == "x"


def test_another_run_does_it_again_and_leaves_nothing(tmp_path: Path) -> None:
    first, second = Runs(), Runs()
    for runs in (first, second):
        runs.once("one", lambda: made(tmp_path / "count"))
    assert (tmp_path / "count").read_text() == "xx"
    folder = first.folder
    assert folder.is_dir()
    del first, runs
    gc.collect()
    assert not folder.exists() and second.folder.exists()


def test_what_raises_is_not_kept() -> None:
    runs = Runs()
    with pytest.raises(KeyError):
        runs.once("one", lambda: {}["no"])
    assert runs.once("one", lambda: Record(check="training", verdict="pass")).verdict == "pass"


def test_processes_of_xdist_share_by_the_name_of_their_run(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setattr("tempfile.tempdir", str(tmp_path))
    monkeypatch.setenv(RUN, "abc")
    first, second = Runs(), Runs()
    first.once("one", lambda: made(tmp_path / "count"))
    second.once("one", lambda: made(tmp_path / "count"))
    assert (tmp_path / "count").read_text() == "x"
    old = tmp_path / f"{PREFIX}old"
    old.mkdir()
    os.utime(old, (time.time() - 2 * STALE,) * 2)
    Runs()
    assert not old.exists() and first.folder.is_dir()
