"""A launch that times whole models: candidates built from words, called in turn. Requests and answers as in :mod:`mpcheck.bench.launch.worker`."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from mpcheck.bench.launch.worker import BaseWorker, main

ARGUMENTS = ("-c", "import sys; sys.path = [p for p in sys.path if p]; from mpcheck.policy.timing_worker import run; run()")
"""What a launch runs; see :data:`mpcheck.bench.launch.processes.WORKER`."""


class TimingWorker(BaseWorker):
    """Times candidates on one structure."""

    COMMANDS = ("hello", "load", "build", "measure", "memory")
    CALLING = ("build", "measure", "memory")

    def __init__(self) -> None:
        super().__init__()
        self.session: Any = None
        self.graph: Any = None
        self.timer: Any = None
        self.built: dict[str, Any] = {}

    def load(self, options: Mapping[str, Any], cpus: list[int], batch: int = 1) -> dict[str, Any]:
        """Load the model and its only system, repeated ``batch`` times."""
        from mpcheck.adapters.graph import make_graph
        from mpcheck.bench.timing.timers import choose_timer
        from mpcheck.bench.work.pinning import pinned
        from mpcheck.records.environment import describe
        from mpcheck.sessions.run import Options, Session

        self.stack.enter_context(pinned(cpus))
        typed: dict[str, Any] = {k: tuple(v) if isinstance(v, list) else v for k, v in options.items()}
        self.session = session = Session(Options(**typed))
        (structures,) = session.systems.values()
        frames = structures.frames * batch
        self.graph = make_graph(frames, session.model.elements, session.model.r_max, session.model.heads, session.model.inputs)
        self.timer = choose_timer(session.device)
        sizes = {"atoms": int(self.graph["positions"].shape[0]), "edges": int(self.graph["edge_index"].shape[1]), "structures": len(frames)}
        return {"environment": describe(str(session.device)), **sizes}

    def build(self, key: str, words: Mapping[str, Any]) -> dict[str, Any]:
        """Build a candidate and make its first call; seconds of both."""
        import time

        from mpcheck.adapters.upstream import quiet
        from mpcheck.policy.candidates import Candidate, build

        began = time.perf_counter()
        with quiet():
            self.built[key] = build(self.session, Candidate(**words), self.graph)
        return {"seconds": time.perf_counter() - began}

    def measure(self, keys: Sequence[str], plan: Mapping[str, Any]) -> dict[str, Any]:
        """Rounds of calls of candidates that were built."""
        from dataclasses import asdict

        from mpcheck.adapters.upstream import quiet
        from mpcheck.policy.rounds import RoundPlan, interleaved

        with quiet():
            return asdict(interleaved({k: self.built[k].call for k in keys}, self.timer, RoundPlan(**plan)))

    def memory(self, key: str) -> dict[str, Any]:
        """The most bytes that a call holds at one time, and bytes of its weights."""
        from mpcheck.policy.memory import peak_bytes, stored_bytes

        built = self.built[key]
        return {"peak": peak_bytes(built.call, built.device), "stored": stored_bytes(built.model)}


def run() -> None:
    """Answer until there are no more requests."""
    main(TimingWorker())
