"""A part's process: started with a log, watched, and ended with everything that it started."""

from __future__ import annotations

import contextlib
import os
import signal
import subprocess
import sys
import sysconfig
import time
from collections.abc import Mapping, Sequence
from pathlib import Path

from mpcheck._files.io import is_file, log_file, read_tail
from mpcheck._text import visible
from mpcheck.survey.child import FRAMES, PARENT

START = "import sys; sys.path = [p for p in sys.path if p]; from mpcheck.survey.child import main; main()"
"""``-m`` would put the current directory first on the path."""
FIXED = {
    "PYTHONUNBUFFERED": "1", "PYTHONFAULTHANDLER": "1", "NO_COLOR": "1", "COLUMNS": "180",
    "PYTEST_ADDOPTS": "-p no:faulthandler",  # it would take the handler over, and tell among all that the log holds
    "CUEQUIVARIANCE_OPS_PARALLEL_COMPILE": "0",  # kernels compiled by several processes at once race, upstream's fault
}  # fmt: skip
THREADS = ("OMP_NUM_THREADS", "MKL_NUM_THREADS")
TOLD = "frames.txt"
"""Beside the log: where the part's own process was; what it had started tells into the log."""
GRACE = 2.0
"""Seconds between the signal that makes processes tell where they are and the one that ends them."""
KEPT = 24
"""Lines of a log that are told."""


def import_paths() -> list[str]:
    """Directories before the standard library on this process's path: a part imports what the survey does, from a checkout, too."""
    library = {sysconfig.get_path("stdlib"), sysconfig.get_path("platstdlib")}
    standard = next((i for i, p in enumerate(sys.path) if p in library or p.endswith(".zip")), len(sys.path))
    return list(dict.fromkeys(str(Path(p).absolute()) for p in sys.path[:standard] if p))


class PartProcess:
    """A running part.

    Attributes:
        began: of :func:`time.monotonic`. log: what it said.
    """

    def __init__(self, module: str, words: Sequence[str], log: Path, cwd: Path, variables: Mapping[str, str], threads: int = 1) -> None:
        paths = [*import_paths(), *filter(None, [os.environ.get("PYTHONPATH", "")])]
        environment = {
            **os.environ,
            **FIXED,
            **dict.fromkeys(THREADS, str(threads)),
            **variables,
            PARENT: str(os.getpid()),
            FRAMES: str(log.with_name(TOLD)),
        }
        if paths:
            environment["PYTHONPATH"] = os.pathsep.join(paths)
        self.log, self.began = log, time.monotonic()
        with log_file(log) as said:
            self.process = subprocess.Popen(
                [sys.executable, "-c", START, module, *words], cwd=cwd, env=environment, stdin=subprocess.DEVNULL, stdout=said,
                stderr=subprocess.STDOUT, start_new_session=True,
            )  # fmt: skip

    @property
    def seconds(self) -> float:
        """Since it began."""
        return time.monotonic() - self.began

    @property
    def ended(self) -> bool:
        """Whether it has ended by itself; what it left behind is then ended, too."""
        if self.process.poll() is None:
            return False
        self._signal("SIGKILL")
        return True

    @property
    def code(self) -> int | None:
        """Exit status; None while it runs."""
        return self.process.returncode

    def end(self, told: bool = True) -> None:
        """End it and all that it started; with ``told`` each of them first writes where it is into the log."""
        if told and self.process.poll() is None:
            self._signal("SIGABRT")
            with contextlib.suppress(subprocess.TimeoutExpired):
                self.process.wait(GRACE)
        self._signal("SIGKILL")
        self.process.wait()

    def _signal(self, name: str) -> None:
        with contextlib.suppress(ProcessLookupError, PermissionError):
            if hasattr(os, "killpg"):
                os.killpg(self.process.pid, getattr(signal, name))
            elif self.process.poll() is None:
                self.process.kill()


def frames(log: Path) -> list[str]:
    """The innermost frames that a part's process told as it was ended, innermost first, of the thread that was working; empty where none are."""
    place = log.with_name(TOLD)
    lines = read_tail(place, "log", 1 << 20).splitlines() if is_file(place) else []
    heads = [i for i, line in enumerate(lines) if line.startswith(("Current thread", "Thread 0x")) and "most recent call first" in line]
    mains = [i for i in heads if lines[i].startswith("Current thread")] or heads[-1:]
    if not mains:
        return []
    told = []
    for line in lines[mains[0] + 1 :]:
        if not line.lstrip().startswith('File "'):
            break
        told.append(visible(line.strip(), 200))
    return told[:KEPT]


def last_lines(log: Path) -> list[str]:
    """The end of what it said, blank lines left out."""
    return [visible(line.rstrip(), 300) for line in read_tail(log, "log", 1 << 20).splitlines() if line.strip()][-KEPT:]
