"""Seconds that a piece of work on the host took, without the time in which the scheduler let somebody else run.

On a shared machine a call of 15 ms is interrupted more often than not, and reads as 30. Linux counts, per thread, how long it was
runnable but not running (``/proc/thread-self/schedstat``, second field, ns); wall time less that is what the work itself took,
sleeping, waiting for locks and for other threads included, which CPU time would hide.
"""

from __future__ import annotations

import math
import os
import time
from collections.abc import Callable
from typing import Any, Protocol

from mpcheck._errors import InputError


class ClockError(InputError):
    """A clock that cannot time: it goes backwards, or stands still over real work."""


class Timer(Protocol):
    """Seconds of work."""

    def seconds(self, call: Callable[[], Any], calls: int) -> float:
        """Seconds of ``calls`` calls together.

        Raises:
            ClockError: the clock is broken.
        """


def counted(calls: int) -> int:
    """The number of calls itself.

    Raises:
        InputError: none.
    """
    if calls < 1:
        raise InputError(f"{calls} calls cannot be timed; give one or more")
    return calls


def positive(**seconds: float) -> None:
    """Refuse, by name, times that no clock gives.

    Raises:
        InputError: one that is not positive and finite.
    """
    for name, value in seconds.items():
        if not 0 < value < math.inf:
            raise InputError(f"{name} time {value} s: give a positive, finite number of seconds")


_SCHEDSTAT = "/proc/thread-self/schedstat"


class HostClock:
    """Times calls of one thread. Open it in the thread that it times.

    Attributes:
        waits_known: whether time on the run queue is told by this platform; wall time it is where not.
        waited, timed: seconds on the run queue, and of wall time, in all that was timed.
    """

    def __init__(
        self, wall: Callable[[], int] = time.perf_counter_ns, cpu: Callable[[], int] = time.thread_time_ns, source: str = _SCHEDSTAT
    ) -> None:
        """Args:
        wall, cpu: clocks in ns; source: the file with the thread's waiting time.
        """
        self._wall, self._cpu = wall, cpu
        try:
            self._file = os.open(source, os.O_RDONLY)
            self._waited()
        except (OSError, ValueError, IndexError):
            self._file = -1
        self.waits_known = self._file >= 0
        self.waited = self.timed = 0.0

    def _waited(self) -> int:
        return int(os.pread(self._file, 128, 0).split()[1])

    def seconds(self, call: Callable[[], Any], calls: int = 1) -> float:
        """Seconds of ``calls`` calls together.

        Never less than the thread's CPU time: where the scheduler strikes between two readings, the waiting would be taken off
        work that it did not belong to.

        Raises:
            InputError: no calls.
            ClockError: the clock went backwards or stood still.
        """
        before = self._waited() if self.waits_known else 0
        cpu = self._cpu()
        began = self._wall()
        for _ in range(counted(calls)):
            call()
        wall = self._wall() - began
        cpu = self._cpu() - cpu
        waited = self._waited() - before if self.waits_known else 0
        if wall <= 0:
            what = f"went backwards by {-wall / 1e9:.6g} s between two readings" if wall else f"stood still over {calls} calls"
            raise ClockError(f"the clock {what}; measure on a machine with a monotonic clock")
        self.waited += min(waited, wall) / 1e9
        self.timed += wall / 1e9
        return max(wall - waited, min(cpu, wall)) / 1e9

    def close(self) -> None:
        """Give the file back."""
        if self._file >= 0:
            os.close(self._file)
            self._file = -1
            self.waits_known = False
