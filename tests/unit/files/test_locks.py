"""A lock that waits says for whom, and gives up by a setting; a full or read-only disk says so."""

from __future__ import annotations

import os
import threading
from collections.abc import Iterator
from pathlib import Path

import pytest

from mpcheck._errors import InputError
from mpcheck._files import locks as _locks
from mpcheck._files.locks import locked
from tests.unit.hostile import check


@pytest.fixture
def held(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Path]:
    """A lock that somebody else holds."""
    path, ready, done = tmp_path / "x.lock", threading.Event(), threading.Event()

    def hold() -> None:
        with locked(path, "it"):
            ready.set()
            done.wait()

    thread = threading.Thread(target=hold)
    thread.start()
    ready.wait()
    monkeypatch.setattr(_locks, "PATIENCE", 0.05)
    yield path
    done.set()
    thread.join()


def test_who_waits_says_for_whom_and_gives_up(held: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> None:
    monkeypatch.setenv("MPCHECK_LOCK_SECONDS", "0.2")
    with (
        pytest.raises(InputError, match=rf"reference a is locked by process {os.getpid()} on .* since 2.*MPCHECK_LOCK_SECONDS"),
        locked(held, "reference a"),
    ):
        pass
    told = capsys.readouterr().err
    assert told.count("\n") == 1
    assert f"waiting for process {os.getpid()}" in told and "reference a" in told and str(held) in told


def test_what_somebody_wrote_as_the_holder_is_shown_harmlessly(
    held: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setenv("MPCHECK_LOCK_SECONDS", "0.2")
    held.with_name("x.lock.holder").write_text("\x1b[2J\u202e \n::error::x " + "y" * 5000, encoding="utf-8")
    with pytest.raises(InputError, match=r"locked by \\x1b\[2J") as caught, locked(held, "it"):
        pass
    told = capsys.readouterr().err
    check("waits", told + str(caught.value))
    assert r"\x1b[2J" in told and len(told) < 1000


def test_a_lock_that_is_free_is_taken_without_a_word(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    for _ in range(2):
        with locked(tmp_path / "x.lock", "it"):
            pass
    assert capsys.readouterr().err == ""
    assert [p.name for p in tmp_path.iterdir() if p.name.endswith(".holder")] == []


@pytest.mark.parametrize("text", ["soon", "-1", "nan", "inf"])
def test_a_setting_that_is_no_time(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, text: str) -> None:
    monkeypatch.setenv("MPCHECK_LOCK_SECONDS", text)
    with pytest.raises(InputError, match="MPCHECK_LOCK_SECONDS is"), locked(tmp_path / "x.lock", "it"):
        pass
