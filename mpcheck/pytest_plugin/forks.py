"""Tests of a session side by side on a CPU, in processes forked from the one that has built what they all need.

Processes of pytest-xdist import, load and convert everything each for itself, which takes longer than they save on two cores. It stays what
shares several GPUs out, for CUDA does not survive a fork.
"""

from __future__ import annotations

import math
import signal
import sys
from collections import deque
from collections.abc import Sequence
from multiprocessing.connection import wait
from typing import Any

import pytest

from mpcheck._memory import free_bytes
from mpcheck._names import REFERENCE_BACKEND
from mpcheck._raised import attempt
from mpcheck.pytest_plugin import plan as plugin_plan
from mpcheck.pytest_plugin import run as plugin_run
from mpcheck.pytest_plugin.collector import DIED
from mpcheck.pytest_plugin.worker import AT_ONCE, BROKEN, GONE, HELD, REFUSED, Worker, fork, send

NAME = "mpcheck-forks"
EACH = 5e8
"""Bytes that a process has for itself beside its largest call: of the built-in model 0.4 GB."""


def take_over(config: pytest.Config) -> None:
    """Where processes of pytest-xdist are asked for, and a fork will do, leave it none of them.

    Before xdist is configured. It keeps what is not of our suites alone, and what may use a GPU.
    """
    asked = getattr(config.option, "numprocesses", None)
    if not asked or plugin_run.is_worker(config) or not sys.platform.startswith("linux") or getattr(config.option, "dist", "no") == "no":
        return
    from mpcheck.sessions.launch import suites_in

    if len(suites_in(config.args, config.invocation_params.dir)) < len(config.args):
        return
    from mpcheck._cuda import CUDA

    if CUDA.is_available():
        return
    config.option.dist, config.option.tx, config.option.numprocesses = "no", [], 0
    config.pluginmanager.register(Forks(int(asked)), NAME)


class Forks:
    """The loop over a session's tests, in several processes."""

    def __init__(self, workers: int) -> None:
        self.workers = workers

    @pytest.hookimpl(tryfirst=True)
    def pytest_runtestloop(self, session: pytest.Session) -> bool | None:
        """Every test once, in some process; reports go to the hooks of this one."""
        groups = _groups(session.items)
        if session.testsfailed or session.config.option.collectonly or len(groups) < 2:
            return None
        import torch

        threads = torch.get_num_threads()
        torch.set_num_threads(1)  # of every process; records say it
        count, workers = min(self.workers, len(groups), _fitting(session.config)), list[Worker]()
        try:
            workers += [fork(session) for _ in range(count - 1)]
            done = self._prepare(session, workers, groups)
            groups = deque(left for group in groups if (left := deque(place for place in group if place not in done)))
            workers = [fork(session) for _ in range(min(count, len(groups)))]
            for worker in workers:
                _give(worker, groups)
            while workers:
                _heard(session, workers)
                workers = [w for worker in workers if (w := _served(session, worker, groups)) is not None]
                _stop_if_told(session)
        finally:
            for worker in workers:
                worker.process.terminate()
            for worker in workers:
                worker.process.join()
            session.config.add_cleanup(lambda: torch.set_num_threads(threads))
        return True

    @staticmethod
    def _prepare(session: pytest.Session, early: Sequence[Worker], groups: Sequence[Sequence[int]]) -> set[int]:
        """Build the backends' models, which no process need do again; meanwhile others do what asks for none of them.

        As in a process of xdist, whatever raises is kept for the pieces that ask for it.

        Returns:
            Places of the tests that are done.
        """
        _, work = session.config.stash.get(plugin_run.WORK, ("", None))
        if work is None:
            return set()
        ready = [place for group in groups for place in group if _backend_of(session.items[place]) == REFERENCE_BACKEND]
        for first, worker in enumerate(early):
            worker.places = deque(ready[first :: len(early)])
            send(worker, (HELD, list(worker.places)))
        for backend in work.session.backend_names:
            attempt(lambda backend=backend: work.session.backend(backend))  # type: ignore[misc]  # a loop's variable, bound
        done: set[int] = set()
        for worker in early:
            given = set(worker.places)
            send(worker, None)
            while not worker.gone:
                _heard(session, [worker])
            done |= given - set(worker.places)
        return done


def _fitting(config: pytest.Config) -> int:
    """How many processes have room beside each other; at least one."""
    _, work = config.stash.get(plugin_run.WORK, ("", None))
    each = EACH + (work.session.needs if work is not None else 0.0)
    free = free_bytes()
    return max(1, int(free / each)) if free < math.inf else sys.maxsize


def _backend_of(item: pytest.Item) -> str:
    piece = plugin_plan.piece_of(item)
    return "" if piece is None else str(piece.planned.backend)


def _groups(items: Sequence[pytest.Item]) -> deque[deque[int]]:
    """Places of the tests that stay together; those that take longest first, so that no process is left alone with one at the end."""
    places: dict[str, deque[int]] = {}
    sizes: dict[str, float] = {}
    for place, item in enumerate(items):
        name = plugin_plan.group_of(item) or item.nodeid
        places.setdefault(name, deque()).append(place)
        sizes[name] = sizes.get(name, 0.0) + plugin_plan.weight_of(item)
    return deque(places[name] for name in sorted(places, key=lambda name: -sizes[name]))


def _served(session: pytest.Session, worker: Worker, groups: deque[deque[int]]) -> Worker | None:
    """A process with something to do; another in the place of one that died; None where nothing is left."""
    if worker.gone:
        if worker.places:
            lost = worker.places.popleft()
            _report(session, lost, [_dead(session.items[lost], worker.process.exitcode)])
            if worker.places:
                groups.appendleft(worker.places)
        if not groups:
            return None
        worker = fork(session)
    if worker.places:
        return worker
    if not groups:
        send(worker, None)
        worker.process.join()
        return None
    _give(worker, groups)
    return worker


def _give(worker: Worker, groups: deque[deque[int]]) -> None:
    worker.places = groups.popleft()
    send(worker, (AT_ONCE, list(worker.places)))


def _heard(session: pytest.Session, workers: Sequence[Worker]) -> None:
    """Wait for any process, and pass on what it reports."""
    ready = wait([x for worker in workers for x in (worker.pipe, worker.process.sentinel)])
    for worker in workers:
        if worker.pipe in ready:
            try:
                kind, message = worker.pipe.recv()
            except (EOFError, OSError):
                kind, message = GONE, None
            _take(session, worker, kind, message)
        elif worker.process.sentinel in ready and not worker.pipe.poll():
            _take(session, worker, GONE, None)


def _take(session: pytest.Session, worker: Worker, kind: str, message: Any) -> None:
    """What a process says."""
    config = session.config
    if kind == GONE:
        worker.process.join()
        worker.gone = True
    elif kind == REFUSED:
        config.stash[plugin_run.BAD_INPUT] = message
        pytest.exit(message, returncode=2)
    elif kind == BROKEN:
        raise RuntimeError(message)
    else:
        place, data = message
        worker.places.remove(place)
        _report(session, place, [config.hook.pytest_report_from_serializable(config=config, data=one) for one in data])


def _report(session: pytest.Session, place: int, reports: Sequence[Any]) -> None:
    item, hook = session.items[place], session.config.hook
    hook.pytest_runtest_logstart(nodeid=item.nodeid, location=item.location)
    for report in reports:
        hook.pytest_runtest_logreport(report=report)
    hook.pytest_runtest_logfinish(nodeid=item.nodeid, location=item.location)


def _dead(item: pytest.Item, code: int | None) -> pytest.TestReport:
    """Of a test whose process died in it."""
    how = f"by {signal.Signals(-code).name}" if code is not None and code < 0 else f"with status {code}"
    return pytest.TestReport(item.nodeid, item.location, dict.fromkeys(item.keywords, 1), "failed", f"{DIED} {how}", "call")


def _stop_if_told(session: pytest.Session) -> None:
    """As pytest's own loop does."""
    if session.shouldfail:
        raise session.Failed(session.shouldfail)
    if session.shouldstop:
        raise session.Interrupted(session.shouldstop)
