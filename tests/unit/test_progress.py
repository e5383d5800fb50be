"""What is said of long work, on a terminal and on a pipe."""

from __future__ import annotations

import io

import pytest

from mpcheck._progress import EVERY, FIRST, Counted, Progress


class Terminal(io.StringIO):
    def isatty(self) -> bool:
        return True


class Clock:
    def __init__(self) -> None:
        self.now = 100.0

    def __call__(self) -> float:
        return self.now


def test_a_log_gets_a_line_now_and_then(monkeypatch: pytest.MonkeyPatch) -> None:
    stream, errors, clock = io.StringIO(), io.StringIO(), Clock()
    monkeypatch.setattr("sys.stderr", errors)
    monkeypatch.setattr("sys.stdout", stream)
    say = Progress(clock)
    say.begin(logged=True)
    for second in range(60):
        clock.now = 100.0 + second
        say(f"cell {second}")
    say.clear()
    lines = stream.getvalue().splitlines()
    assert lines[0] == f"  … cell {FIRST:.0f} ({FIRST:.0f} s)" and lines[1] == f"  … cell {FIRST + EVERY:.0f} ({FIRST + EVERY:.0f} s)"
    assert len(lines) == 1 + (59 - FIRST) // EVERY
    assert errors.getvalue() == "", "a refusal is the only line there"


@pytest.mark.parametrize(("logged", "seconds"), [(True, FIRST / 2), (False, 100.0)])
def test_a_log_has_nothing_of_short_work_and_of_what_is_no_session(logged: bool, seconds: float, capsys: pytest.CaptureFixture[str]) -> None:
    clock = Clock()
    say = Progress(clock)
    say.begin(logged)
    clock.now += seconds
    say("nearly done")
    say.clear()
    assert capsys.readouterr() == ("", "")


def test_a_terminal_has_one_line_that_ends_empty(monkeypatch: pytest.MonkeyPatch) -> None:
    stream = Terminal()
    monkeypatch.setattr("sys.stderr", stream)
    say = Progress()
    say("first")
    say("second\x1b[31m" + 200 * "x")
    say.clear()
    text = stream.getvalue()
    assert "\n" not in text and text.startswith("\r\033[K  … first\r\033[K  … second") and text.endswith("x\r\033[K")
    assert "\x1b[31m" not in text and "x" * 150 not in text


def test_what_is_left_is_told_from_what_has_ended() -> None:
    said: list[str] = []
    clock = Clock()
    counted = Counted(said.append, clock)
    counted.ended(red=False)
    assert said == ["1 done"], "nobody knows of how many"
    counted = Counted(said.append, clock)
    counted.begin(100)
    for second in range(4):
        clock.now += 2.0
        counted.ended(red=second == 1)
    assert said[1:3] == ["1 of 100 done", "2 of 100 done, 1 red, about 3 min left"] and len(said) == 5
    counted.done, counted.total = 99, 100
    clock.now += 1.0
    counted.ended(red=False)
    assert said[-1] == "100 of 100 done, 1 red"
