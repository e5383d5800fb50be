"""Run a part of mpcheck on a side, with what it says kept in a file: it comes from code that nobody has reviewed."""

from __future__ import annotations

import contextlib
import os
import re
import signal
import subprocess
import threading
import time
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

from mpcheck._errors import PREFIX, InputError
from mpcheck._files.io import log_file, read_tail
from mpcheck._progress import EVERY
from mpcheck.gate.environments import Side, last_lines

# `-m` would put the current directory, head's files, first on the path of base, too
COMMAND = "import sys; sys.path = [p for p in sys.path if p]; from mpcheck.{module} import {function}; {function}()"
SO_FAR = re.compile(r"  … (\d+ of \d+ done(?:, \d+ red)?(?:, about [0-9.]+ (?:s|min|h) left)?)")
"""How :class:`mpcheck._progress.Counted` says it."""
KEPT = 40  # lines of what a process said


@dataclass(frozen=True)
class Ended:
    """How a process ended.

    Attributes:
        code: exit status; None where its time was up. lines: the last of what it said.
    """

    code: int | None
    lines: list[str]
    seconds: float

    @property
    def refusal(self) -> str:
        """Bad input, as mpcheck says it; empty where it said none."""
        told = [line.partition(PREFIX)[2] for line in self.lines if PREFIX in line]
        return told[-1].strip() if told else ""

    @property
    def how(self) -> str:
        """In words."""
        if self.code is None:
            return f"was ended after {self.seconds:.0f} s"
        return f"killed by signal {-self.code}" if self.code < 0 else f"exit status {self.code}"

    @property
    def last_words(self) -> str:
        """The end of what it said."""
        return last_lines("\n".join(self.lines))


def run(side: Side, function: str, arguments: Sequence[str], cwd: Path, log: Path, timeout: float, stdin: str = "", **variables: str) -> Ended:
    """Run a function of mpcheck in a side's environment.

    Args:
        function: ``MODULE:NAME`` inside mpcheck. cwd: head's root, on both sides, so that names of files mean head's.
        log: gets what it says. timeout: seconds after which it is ended, with every process that it started.
    """
    module, _, name = function.partition(":")
    began = time.perf_counter()
    with log_file(log) as said:
        process = subprocess.Popen(
            [side.python, "-c", COMMAND.format(module=module, function=name), *arguments],
            cwd=cwd, env=side.variables(PYTHONUNBUFFERED="1", NO_COLOR="1", **variables), stdin=subprocess.PIPE, stdout=said,
            stderr=subprocess.STDOUT, text=True, start_new_session=True,
        )  # fmt: skip
        try:
            process.communicate(stdin, timeout=timeout)
            code: int | None = process.returncode
        except subprocess.TimeoutExpired:
            code = None
        finally:
            _end(process)
    lines = read_tail(log, "log").splitlines()
    return Ended(code, lines[-KEPT:], time.perf_counter() - began)


@contextlib.contextmanager
def relayed(log: Path, say: Callable[[str], None], every: float = EVERY) -> Iterator[None]:
    """While it lasts, say now and then how far the session is that writes to a log: nothing of the log but mpcheck's own words for that."""
    ended = threading.Event()

    def relay() -> None:
        told = ""
        while not ended.wait(every):
            text = _so_far(log)
            if text and text != told:
                told = text
                say(text)

    thread = threading.Thread(target=relay, daemon=True)
    thread.start()
    try:
        yield
    finally:
        ended.set()
        thread.join()


def _so_far(log: Path) -> str:
    with contextlib.suppress(InputError, OSError):
        found: list[str] = SO_FAR.findall(read_tail(log, "log"))
        return found[-1] if found else ""
    return ""


def _end(process: subprocess.Popen[str]) -> None:
    """End a process and those that it started."""
    with contextlib.suppress(ProcessLookupError, PermissionError):
        if os.name == "nt":
            process.kill()
        else:
            os.killpg(process.pid, signal.SIGKILL)
    process.wait()
