"""A launch that times whole models: candidates built from words, called in turn. Requests and answers as in :mod:`mpcheck.bench.launch.worker`."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from mpcheck.bench.launch.worker import BaseWorker, main

ARGUMENTS = ("-c", "import sys; sys.path = [p for p in sys.path if p]; from mpcheck.policy.speed.timing_worker import run; run()")
"""What a launch runs; see :data:`mpcheck.bench.launch.processes.WORKER`."""


class TimingWorker(BaseWorker):
    """Times candidates on one structure."""

    COMMANDS = ("hello", "load", "place", "build", "measure", "memory", "errors")
    CALLING = ("place", "build", "measure", "memory", "errors")

    def __init__(self) -> None:
        super().__init__()
        self.session: Any = None
        self.graph: Any = None
        self.reference: Any = None
        self.timer: Any = None
        self.built: dict[str, Any] = {}

    def load(self, options: Mapping[str, Any], cpus: list[int]) -> dict[str, Any]:
        """Load the model."""
        from mpcheck.bench.timing.timers import choose_timer
        from mpcheck.bench.work.pinning import pinned
        from mpcheck.records.environment import describe
        from mpcheck.sessions.run import Options, Session

        self.stack.enter_context(pinned(cpus))
        typed: dict[str, Any] = {k: tuple(v) if isinstance(v, list) else v for k, v in options.items()}
        self.session = session = Session(Options(**typed))
        self.timer = choose_timer(session.device)
        return {"environment": describe(str(session.device))}

    def place(self, system: str, batch: int) -> dict[str, Any]:
        """Take a system, repeated ``batch`` times, and evaluate the float64 model on it; what was built for another is to be built again."""
        from mpcheck.adapters.graph import make_graph
        from mpcheck.policy.evaluation import evaluate
        from mpcheck.systems.resolve import resolve_system

        model = self.session.model
        structures = resolve_system(system, model.elements, model.r_max, self.session.seed, model.inputs, model.heads)
        self.graph = make_graph(structures.frames * batch, model.elements, model.r_max, model.heads, model.inputs)
        self.reference = evaluate(model.module, self.graph)
        self.built = {name: built.elsewhere(self.graph) for name, built in self.built.items()}
        return {"atoms": int(self.graph["positions"].shape[0]), "edges": int(self.graph["edge_index"].shape[1])}

    def build(self, key: str, words: Mapping[str, Any], seconds: float) -> dict[str, Any]:
        """Build a candidate and make its first call; seconds of both, at most so many."""
        import time

        from mpcheck.adapters.upstream import quiet
        from mpcheck.policy.speed.candidates import Candidate, build
        from mpcheck.policy.speed.patience import within

        began = time.perf_counter()
        with quiet(), within(seconds, "compilation" if words.get("variant") else "the first call"):
            if key in self.built:
                self.built[key].first_call()
            else:
                self.built[key] = build(self.session, Candidate(**words), self.graph)
        return {"seconds": time.perf_counter() - began}

    def measure(self, keys: Sequence[str], plan: Mapping[str, Any]) -> dict[str, Any]:
        """Rounds of calls of candidates that were built; or which one ``failed``, and why."""
        from dataclasses import asdict
        from functools import partial

        from mpcheck._raised import Raised, attempt_unless_refused
        from mpcheck._unsupported import Unsupported
        from mpcheck.adapters.upstream import quiet
        from mpcheck.policy.speed.rounds import RoundPlan, interleaved

        calling: list[str] = []

        def call(key: str) -> Any:
            calling[:] = [key]
            return self.built[key].call()

        with quiet():
            told = attempt_unless_refused(lambda: interleaved({k: partial(call, k) for k in keys}, self.timer, RoundPlan(**plan)))
        if isinstance(told, Raised):
            return {"failed": calling[0] if calling else "", "why": Unsupported("raised", f"raised: {told.text}").fields()}
        return {"failed": "", **asdict(told)}

    def memory(self, key: str) -> dict[str, Any]:
        """The most bytes that a call holds at one time, and bytes of its weights."""
        from mpcheck.policy.speed.memory import peak_bytes, stored_bytes

        built = self.built[key]
        return {"peak": peak_bytes(built.call, built.device), "stored": stored_bytes(built.model)}

    def errors(self, key: str) -> dict[str, Any]:
        """Errors of the very call that is timed, against the float64 model in this process."""
        from mpcheck.policy.speed.whole_errors import whole_errors

        return whole_errors(self.built[key].call(), self.reference).fields()


def run() -> None:
    """Answer until there are no more requests."""
    main(TimingWorker())
