"""An end to what compilers do: one that has not come back in time has nothing to be timed."""

from __future__ import annotations

import contextlib
import signal
import threading
from collections.abc import Iterator
from typing import Any

from mpcheck._unsupported import Unsupported
from mpcheck.bench.work.workload import UnsupportedError

AGAIN = 5.0
"""Seconds after which it is interrupted once more: compilers catch what is raised in them, and try something else."""


@contextlib.contextmanager
def within(seconds: float, what: str) -> Iterator[None]:
    """Interrupt the block, in Python's own code, where it lasts longer.

    Only in the main thread of a platform that has alarms; elsewhere it lasts as long as it lasts.

    Raises:
        UnsupportedError: it did.
    """
    if not hasattr(signal, "setitimer") or threading.current_thread() is not threading.main_thread():
        yield
        return
    late = UnsupportedError(Unsupported("no-operation", f"{what} did not end within {seconds:.0f} s"))

    def interrupt(*_: Any) -> None:
        raise late

    before = signal.signal(signal.SIGALRM, interrupt)
    signal.setitimer(signal.ITIMER_REAL, seconds, AGAIN)
    try:
        yield
    except Exception as error:
        if error is not late and _caused(error, late):
            raise late from error
        raise
    finally:
        signal.setitimer(signal.ITIMER_REAL, 0.0)
        signal.signal(signal.SIGALRM, before)


def _caused(error: BaseException | None, late: BaseException) -> bool:
    """Whether an error was raised from the interruption, by whoever caught it."""
    seen: set[int] = set()
    while error is not None and id(error) not in seen:
        if error is late:
            return True
        seen.add(id(error))
        error = error.__cause__ or error.__context__
    return False
