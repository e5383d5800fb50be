"""A process forked for tests, what it does, and what is said between it and the first one."""

from __future__ import annotations

import contextlib
import os
import signal
import traceback
from collections import deque
from collections.abc import Iterator
from dataclasses import dataclass, field
from multiprocessing import get_context
from multiprocessing.connection import Connection
from multiprocessing.process import BaseProcess
from typing import Any

import pytest
from _pytest.runner import runtestprotocol

from mpcheck._progress import PROGRESS
from mpcheck.pytest_plugin import run as plugin_run

ENDED, REFUSED, BROKEN, GONE = "ended", "refused", "broken", "gone"
AT_ONCE, HELD = "at once", "held"
ORPHANED = 5.0
"""Seconds between two looks of a waiting process for the one that it works for."""


@dataclass
class Worker:
    """A forked process.

    Attributes:
        places: of the tests that it was given and has not ended, in their order. gone: whether it has ended.
    """

    process: BaseProcess
    pipe: Connection
    places: deque[int] = field(default_factory=deque)
    gone: bool = False


def fork(session: pytest.Session) -> Worker:
    """One more, which waits for tests."""
    context = get_context("fork")
    ours, theirs = context.Pipe()
    process = context.Process(target=_work, args=(session, theirs), daemon=True)
    process.start()
    theirs.close()
    return Worker(process, ours)


def send(worker: Worker, message: Any) -> None:
    """To a process, which may have died just now: that is seen when it is waited for."""
    with contextlib.suppress(OSError):
        worker.pipe.send(message)


def _work(session: pytest.Session, pipe: Connection) -> None:
    """What a forked process does: the tests that it is told, until it is told no more or nobody is there to tell it."""
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # the process that it works for ends it
    PROGRESS.begin(logged=False)
    capturing = session.config.pluginmanager.get_plugin("capturemanager")
    if capturing is not None:  # files of its own: the others write into the first ones
        capturing.stop_global_capturing()
        capturing.start_global_capturing()
    try:
        for kind, places in _told(pipe):
            held = []
            for place in places:
                if kind == HELD and pipe.poll():  # another word: nothing more of these
                    break
                held.append((ENDED, (place, reports(session.items[place]))))
                if kind == AT_ONCE:
                    pipe.send(held.pop())
            for message in held:
                pipe.send(message)
    except BaseException as error:  # pytest's own end among them: nothing may be lost on the way to the first process
        refused = session.config.stash.get(plugin_run.BAD_INPUT, "")
        pipe.send((REFUSED, refused) if refused else (BROKEN, "".join(traceback.format_exception(error))))
    finally:
        os._exit(0)  # nothing of the first process's is to be ended here


def reports(item: pytest.Item) -> list[Any]:
    """Do a test: its reports, as they go from process to process."""
    hook = item.config.hook
    return [hook.pytest_report_to_serializable(config=item.config, report=report) for report in runtestprotocol(item, log=False, nextitem=None)]


def _told(pipe: Connection) -> Iterator[tuple[str, list[int]]]:
    """Tests to do, and whether each is reported at once, or all of them when another word comes, since nobody listens until then."""
    first = os.getppid()
    while True:
        while not pipe.poll(ORPHANED):
            if os.getppid() != first:
                return
        message = pipe.recv()
        if message is None:
            return
        yield message
