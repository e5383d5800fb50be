"""How far long work is: one line that is overwritten on a terminal's standard error; in a log a line now and then, once tests run.

In a log the lines are on standard output, where pytest has its dots: standard error is for errors alone, and a refusal is one line.
"""

from __future__ import annotations

import sys
import time
from collections.abc import Callable

from mpcheck._text import duration, put, terminal

FIRST, EVERY = 5.0, 15.0
"""Seconds of silence in a log: until its first line, and between two."""
WIDTH = 100
HARDLY = 0.02
"""Share of the work that must be done before anything is said of the rest."""


class Progress:
    """Takes lines that say what is being done.

    Attributes:
        logged: whether it says something where there is no terminal.
    """

    def __init__(self, clock: Callable[[], float] = time.monotonic) -> None:
        self.clock = clock
        self.begin(logged=False)

    def begin(self, logged: bool) -> None:
        """Work begins, or what began with another value has ended."""
        self.logged, self.began = logged, self.clock()
        self.silent_until = self.began + FIRST

    def __call__(self, text: str) -> None:
        """Say it, or in a log leave it out where something was said just now."""
        if sys.stderr.isatty():
            put(f"\r\033[K  … {terminal(text)[:WIDTH]}", error=True, end="")
            return
        now = self.clock()
        if self.logged and now >= self.silent_until:
            self.silent_until = now + EVERY
            put(f"  … {terminal(text)[:WIDTH]} ({duration(now - self.began)})")

    def clear(self) -> None:
        """The work has ended."""
        if sys.stderr.isatty():
            put("\r\033[K", error=True, end="")


PROGRESS = Progress()
"""Of this process."""


class Counted:
    """So many pieces of work, told as they end: how many, how many of them are red, and how long the others take if they are like these.

    Attributes:
        total: 0 where it is not known yet.
    """

    def __init__(self, say: Callable[[str], None], clock: Callable[[], float] = time.monotonic) -> None:
        self.say, self.clock = say, clock
        self.began = clock()
        self.total, self.done, self.red = 0, 0, 0

    def begin(self, total: int) -> None:
        """The work is known."""
        self.total, self.began = total, self.clock()

    def ended(self, red: bool) -> None:
        """One more."""
        self.done += 1
        self.red += red
        self.say(self.text)

    @property
    def text(self) -> str:
        """In words."""
        seconds = self.clock() - self.began
        of = f" of {max(self.total, self.done)}" if self.total else ""
        red = f", {self.red} red" if self.red else ""
        left = seconds * (self.total - self.done) / self.done if self.done else 0.0
        known = self.done >= HARDLY * self.total and left >= 1.0
        return f"{self.done}{of} done{red}" + (f", about {duration(left)} left" if known else "")
