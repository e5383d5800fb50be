"""Worker processes that run cases; one that does not come back is ended and replaced."""

from __future__ import annotations

import copy
import multiprocessing
import resource
import time
import warnings
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from functools import cache
from multiprocessing.connection import Connection, wait
from pathlib import Path
from typing import Any

import typer.main

import mpcheck.adapters.load as loading
from mpcheck.adapters.architecture import build_model
from tests.fuzz.inputs.cases import SECONDS, Case, draw, run

STUCK = 4 * SECONDS
ROOM = 4 << 30  # of address space beyond what a worker has at the start: the machine must not suffer for a finding


@dataclass(frozen=True)
class Result:
    """How a case ended."""

    seed: str
    case: Case
    wrong: str


def _made_once() -> None:
    """The command line's tree and models of the same architecture are made once a worker: reading is what is tried here."""
    typer.main.get_command = cache(typer.main.get_command)
    built = cache(lambda canonical: build_model(loading.Architecture.model_validate_json(canonical)))
    loading.build_model = lambda arch: copy.deepcopy(built(arch.canonical()))


def _serve(pipe: Connection, root: Path) -> None:
    warnings.simplefilter("ignore")
    _made_once()
    size = int(Path("/proc/self/statm").read_text(encoding="ascii").split()[0]) * resource.getpagesize()
    resource.setrlimit(resource.RLIMIT_AS, (size + ROOM, size + ROOM))
    resource.setrlimit(resource.RLIMIT_CORE, (0, 0))
    while (seed := pipe.recv()) is not None:
        pipe.send(run(draw(root, seed), root))


@dataclass
class _Worker:
    pipe: Connection
    process: Any
    seed: str = ""
    until: float = 0.0


class Pool:
    """Workers for the cases of seeds."""

    def __init__(self, root: Path, workers: int) -> None:
        self.root = root
        self._context = multiprocessing.get_context("spawn")
        self._workers = [self._begin() for _ in range(workers)]

    def _begin(self) -> _Worker:
        own, theirs = self._context.Pipe()
        process = self._context.Process(target=_serve, args=(theirs, self.root), daemon=True)
        process.start()
        theirs.close()
        return _Worker(own, process)

    def results(self, seeds: Iterable[str]) -> Iterator[Result]:
        """Cases as they end, in any order."""
        waiting, busy = iter(seeds), list[_Worker]()
        idle = list(self._workers)
        while True:
            while idle and (seed := next(waiting, None)) is not None:
                worker = idle.pop()
                worker.seed, worker.until = seed, time.monotonic() + STUCK
                worker.pipe.send(seed)
                busy.append(worker)
            if not busy:
                return
            ready = wait([worker.pipe for worker in busy], timeout=1.0)
            for worker in list(busy):
                wrong = self._answer(worker, worker.pipe in ready)
                if wrong is None:
                    continue
                busy.remove(worker)
                idle.append(worker)
                yield Result(worker.seed, draw(self.root, worker.seed), wrong)

    def _answer(self, worker: _Worker, ready: bool) -> str | None:
        if ready:
            try:
                return str(worker.pipe.recv())
            except EOFError:
                worker.process.join()
                wrong = f"the process died: exit status {worker.process.exitcode}"
        elif time.monotonic() < worker.until:
            return None
        else:
            wrong = f"no answer in {STUCK:g} s, not even to a signal"
        self._end(worker)
        fresh = self._begin()
        worker.pipe, worker.process = fresh.pipe, fresh.process
        return wrong

    def _end(self, worker: _Worker) -> None:
        worker.process.kill()
        worker.process.join()
        worker.pipe.close()

    def close(self) -> None:
        """End all workers."""
        for worker in self._workers:
            self._end(worker)
