"""Tests of a session side by side on a CPU, in processes forked from the one that has built what they all need.

Processes of pytest-xdist import, load and convert everything each for itself, which takes longer than they save on two cores. It stays what
shares several GPUs out, for CUDA does not survive a fork.
"""

from __future__ import annotations

import math
import os
import signal
import sys
import traceback
from collections import deque
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from multiprocessing import get_context
from multiprocessing.connection import Connection, wait
from multiprocessing.process import BaseProcess
from typing import Any

import pytest
from _pytest.runner import runtestprotocol

from mpcheck._memory import free_bytes
from mpcheck._names import REFERENCE_BACKEND
from mpcheck._progress import PROGRESS
from mpcheck._raised import attempt
from mpcheck.pytest_plugin import plan as plugin_plan
from mpcheck.pytest_plugin import run as plugin_run
from mpcheck.pytest_plugin.collector import DIED

NAME = "mpcheck-forks"
_ENDED, _REFUSED, _BROKEN, _GONE = "ended", "refused", "broken", "gone"
_AT_ONCE, _HELD = "at once", "held"
EACH = 5e8
"""Bytes that a process has for itself beside its largest call: of the built-in model 0.4 GB."""
ORPHANED = 5.0
"""Seconds between two looks of a waiting process for the one that it works for."""


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
    import torch

    if torch.cuda.is_available():
        return
    config.option.dist, config.option.tx, config.option.numprocesses = "no", [], 0
    config.pluginmanager.register(Forks(int(asked)), NAME)


@dataclass
class _Worker:
    """A forked process.

    Attributes:
        places: of the tests that it was given and has not ended, in their order. gone: whether it has ended.
    """

    process: BaseProcess
    pipe: Connection
    places: deque[int] = field(default_factory=deque)
    gone: bool = False


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
        count, workers = min(self.workers, len(groups), _fitting(session.config)), list[_Worker]()
        try:
            workers += [_fork(session) for _ in range(count - 1)]
            self._prepare(session, workers, groups)
            workers = [_fork(session) for _ in range(min(count, len(groups)))]
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
    def _prepare(session: pytest.Session, early: Sequence[_Worker], groups: deque[deque[int]]) -> None:
        """Build the backends' models, which no process need do again; meanwhile others do what asks for none of them.

        As in a process of xdist, whatever raises is kept for the pieces that ask for it.
        """
        name, work = session.config.stash.get(plugin_run.WORK, ("", None))
        if not name:
            return
        ready = [place for group in groups for place in group if _backend_of(session.items[place]) == REFERENCE_BACKEND]
        for first, worker in enumerate(early):
            worker.places = deque(ready[first :: len(early)])
            _send(worker, (_HELD, list(worker.places)))
        for backend in work.session.backend_names:
            attempt(lambda backend=backend: work.session.backend(backend))  # type: ignore[misc]  # a loop's variable, bound
        done: set[int] = set()
        for worker in early:
            given = set(worker.places)
            _send(worker, None)
            while not worker.gone:
                _heard(session, [worker])
            done |= given - set(worker.places)
        for group in list(groups):
            left = deque(place for place in group if place not in done)
            group.clear()
            group.extend(left)
            if not left:
                groups.remove(group)


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
    names: list[str] = []
    weights: list[float] = []
    for item in items:
        marker = item.get_closest_marker("xdist_group")
        names.append(str((*marker.args, *marker.kwargs.values())[0]) if marker is not None else item.nodeid)
        weights.append(getattr(plugin_plan.piece_of(item), "weight", 1.0))
    places: dict[str, deque[int]] = {}
    sizes: dict[str, float] = {}
    for place, (name, weight) in enumerate(zip(names, weights, strict=True)):
        places.setdefault(name, deque()).append(place)
        sizes[name] = sizes.get(name, 0.0) + weight
    return deque(places[name] for name in sorted(places, key=lambda name: -sizes[name]))


def _fork(session: pytest.Session) -> _Worker:
    context = get_context("fork")
    ours, theirs = context.Pipe()
    process = context.Process(target=_work, args=(session, theirs), daemon=True)
    process.start()
    theirs.close()
    return _Worker(process, ours)


def _served(session: pytest.Session, worker: _Worker, groups: deque[deque[int]]) -> _Worker | None:
    """A process with something to do; another in the place of one that died; None where nothing is left."""
    if worker.gone:
        if worker.places:
            lost = worker.places.popleft()
            _report(session, lost, [_dead(session.items[lost], worker.process.exitcode)])
            if worker.places:
                groups.appendleft(worker.places)
        if not groups:
            return None
        worker = _fork(session)
    if worker.places:
        return worker
    if not groups:
        _send(worker, None)
        worker.process.join()
        return None
    _give(worker, groups)
    return worker


def _give(worker: _Worker, groups: deque[deque[int]]) -> None:
    worker.places = groups.popleft()
    _send(worker, (_AT_ONCE, list(worker.places)))


def _send(worker: _Worker, message: Any) -> None:
    """To a process, which may have died just now: that is seen when it is waited for."""
    try:
        worker.pipe.send(message)
    except OSError:
        pass


def _heard(session: pytest.Session, workers: Sequence[_Worker]) -> None:
    """Wait for any process, and pass on what it reports."""
    ready = wait([x for worker in workers for x in (worker.pipe, worker.process.sentinel)])
    for worker in workers:
        if worker.pipe in ready:
            try:
                kind, message = worker.pipe.recv()
            except (EOFError, OSError):
                kind, message = _GONE, None
            _take(session, worker, kind, message)
        elif worker.process.sentinel in ready and not worker.pipe.poll():
            _take(session, worker, _GONE, None)


def _take(session: pytest.Session, worker: _Worker, kind: str, message: Any) -> None:
    """What a process says."""
    config = session.config
    if kind == _GONE:
        worker.process.join()
        worker.gone = True
    elif kind == _REFUSED:
        config.stash[plugin_run.BAD_INPUT] = message
        pytest.exit(message, returncode=2)
    elif kind == _BROKEN:
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
                if kind == _HELD and pipe.poll():  # another word: nothing more of these
                    break
                held.append((_ENDED, (place, _reports(session.items[place]))))
                if kind == _AT_ONCE:
                    pipe.send(held.pop())
            for message in held:
                pipe.send(message)
    except BaseException as error:  # pytest's own end among them: nothing may be lost on the way to the first process
        refused = session.config.stash.get(plugin_run.BAD_INPUT, "")
        pipe.send((_REFUSED, refused) if refused else (_BROKEN, "".join(traceback.format_exception(error))))
    finally:
        os._exit(0)  # nothing of the first process's is to be ended here


def _reports(item: pytest.Item) -> list[Any]:
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
