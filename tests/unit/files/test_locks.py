"""A lock that waits says for whom, and gives up by a setting; a full or read-only disk says so."""

from __future__ import annotations

import os
import threading
from collections.abc import Iterator
from pathlib import Path

import pytest

from mpcheck._errors import InputError
from mpcheck._files import locks as _locks
from mpcheck._files.locks import if_free, locked, share
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


class Holder:
    """Something that lives as long as the test wants."""


def free(*locks: Path) -> bool:
    with if_free(locks) as answer:
        return answer


def test_a_lock_that_somebody_holds_is_not_free_and_none_is_waited_for(held: Path, tmp_path: Path) -> None:
    assert not free(tmp_path / "a.lock", held) and free(tmp_path / "a.lock"), "those before it are given back"
    with if_free([tmp_path / "a.lock"]) as answer:
        assert answer and not free(tmp_path / "a.lock"), "it is held meanwhile"
    assert free(tmp_path / "a.lock") and free()


def test_a_shared_lock_is_held_as_long_as_one_holder_lives(tmp_path: Path) -> None:
    lock, one, other = tmp_path / "use.lock", Holder(), Holder()
    share(lock, one)
    share(lock, other)
    assert not free(lock)
    del one
    assert not free(lock)
    del other
    assert free(lock)


def test_what_cannot_be_locked_is_no_error_and_links_are_not_followed(tmp_path: Path) -> None:
    holder = Holder()
    share(tmp_path / "missing" / "use.lock", holder)
    (tmp_path / "use.lock").symlink_to(tmp_path / "elsewhere")
    share(tmp_path / "use.lock", holder)
    assert not (tmp_path / "elsewhere").exists()
    with if_free([tmp_path / "a.lock"]) as answer:
        share(tmp_path / "a.lock", holder)  # somebody removes what it belongs to: nobody waits
    assert answer and free(tmp_path / "a.lock")
