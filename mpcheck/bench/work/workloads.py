"""Callables to measure: every block on the arguments that the model gave it, and the whole model."""

from __future__ import annotations

import contextlib
import copy
import time
from collections.abc import Callable, Iterator, Sequence
from fnmatch import fnmatchcase
from functools import cached_property
from typing import Any

import torch

from mpcheck._errors import InputError
from mpcheck._torch_state import neutral
from mpcheck._unsupported import Unsupported, tolerated
from mpcheck.adapters.backends.capabilities import capabilities, lacks
from mpcheck.adapters.backends.protocol import BackendModel, unsupported
from mpcheck.adapters.blocks import WHOLE, Block
from mpcheck.adapters.execution import Tensors
from mpcheck.adapters.graph import make_graph
from mpcheck.adapters.observe import Arguments, Observer
from mpcheck.adapters.tree import flatten, map_tensors, unflatten
from mpcheck.adapters.upstream import quiet
from mpcheck.bench.keys import BLOCK_WORK, MODEL, MODEL_WORK, BenchKey, Work
from mpcheck.bench.work.workload import UnsupportedError, Workload, once, told_apart
from mpcheck.formats import Format, get_format
from mpcheck.judge.replay import arithmetic
from mpcheck.sessions.run import Session, require_matches


class Workloads:
    """The workloads of a run. Backends are built at first use; how long that took is in ``build_seconds``."""

    def __init__(self, session: Session, batches: Sequence[int] = (1,), works: Sequence[Work] = (*BLOCK_WORK, *MODEL_WORK)) -> None:
        """Raises:
        InputError: a batch that is not a positive number.
        """
        for batch in batches:
            if batch < 1:
                raise InputError(f"batch {batch}: a batch repeats a system at least once; give 1 or more")
        self.session = session
        self.batches = tuple(dict.fromkeys(batches))
        self.works = tuple(works)
        self.build_seconds: dict[str, float] = {}
        self._arguments: dict[tuple[str, int, bool], Arguments] = {}
        self._graphs: dict[tuple[str, int, bool], Tensors] = {}
        self._evaluated: set[tuple[str, int]] = set()

    @neutral()
    def _evaluate_once(self, system: str, batch: int) -> None:
        """Evaluate the float64 model itself once: TorchScript specialises what it sees first, so that what a steady call costs would
        otherwise depend on the order of the benchmarks.
        """
        if (system, batch) not in self._evaluated:
            self._evaluated.add((system, batch))
            backend = self.session.reference_backend
            with quiet():
                backend.model({n: t.clone().to(backend.device) for n, t in self.graph(system, batch).items()}, compute_force=False)

    @cached_property
    def _double(self) -> torch.nn.Module | None:
        """A copy of the float64 model, which is observed in its place: what is compiled in first calls must not have been compiled before.

        None of a model that cannot be copied.
        """
        try:
            return copy.deepcopy(self.session.reference_backend.model)
        except (RuntimeError, TypeError, AttributeError, NotImplementedError, ValueError):  # whatever a foreign module refuses with
            return None

    @neutral()
    def graph(self, system: str, batch: int, reshaped: bool = False) -> Tensors:
        """A system's frames, repeated, as one float64 graph on the CPU.

        Args:
            reshaped: with the last frame left out, or, of a single one, with another: the next batch of a user's, who compiles anew.
        """
        where = (system, batch, reshaped)
        if where not in self._graphs:
            model, frames = self.session.model, self.session.systems[system].frames * batch
            if reshaped:
                frames = frames[:-1] or frames * 2
            self._graphs[where] = make_graph(frames, model.elements, model.r_max, model.heads, model.inputs)
        return self._graphs[where]

    @neutral()
    def arguments(self, system: str, batch: int, reshaped: bool = False) -> Arguments:
        """What the float64 model gives each of its blocks on a system.

        Raises:
            UnsupportedError: of another shape, while a block of a model that cannot be copied may be prepared for another format.
            BaseException: whatever the model's forward raises.
        """
        where = (system, batch, reshaped)
        if where not in self._arguments:
            if reshaped and self._double is None:
                raise UnsupportedError("the model cannot be copied, so that nobody knows its blocks' arguments on another structure")
            backend, sink = self.session.reference_backend, Arguments()
            model = self._double if self._double is not None else backend.model
            observer = Observer(model, sink)
            graph = {n: t.clone().to(backend.device) for n, t in self.graph(system, batch, reshaped).items()}
            with quiet(), observer.watching():
                model(graph, compute_force=False)
            self._arguments[where] = sink
        return self._arguments[where]

    def blocks(self, system: str, batch: int) -> list[Block]:
        """Blocks that the user selected.

        Raises:
            InputError: a pattern that matches neither a block nor ``model``.
        """
        observed = self.arguments(system, batch)
        every = [block for block, *_ in observed.blocks.values()] + [block for block, _ in observed.refusals.values()]
        patterns = self.session.options.blocks
        require_matches(patterns, [*(b.name for b in every), MODEL], self.session.options.model)
        return [b for b in every if not patterns or any(fnmatchcase(b.name, p) for p in patterns)]

    def subjects(self) -> list[str]:
        """Names of every block, whether the user selected it or not, and of the whole model."""
        observed = [self.arguments(system, batch) for system in self.session.systems for batch in self.batches]
        return [*dict.fromkeys(name for one in observed for name in (*one.blocks, *one.refusals)), MODEL]

    def keys(self) -> list[BenchKey]:
        """Every benchmark of the run, system by system and block by block, the whole model last."""
        options, keys = self.session.options, list[BenchKey]()
        formats = [f.name for f in self.session.formats]
        whole = not options.blocks or any(fnmatchcase(MODEL, p) for p in options.blocks)
        for system in self.session.systems:
            for batch in self.batches:
                subjects: list[tuple[str, tuple[Work, ...]]] = [(b.name, BLOCK_WORK) for b in self.blocks(system, batch)]
                if whole:
                    subjects.append((MODEL, MODEL_WORK))
                for subject, works in subjects:
                    own = [w for w in works if w in self.works]
                    keys += [BenchKey(system, batch, subject, b, f, w) for b in options.backends for f in formats for w in own]
        return keys

    def backend(self, name: str) -> BackendModel:
        """A backend's model.

        Raises:
            UnsupportedError: it is unavailable.
        """
        if name not in self.build_seconds:
            began = time.perf_counter()
            with told_apart():
                built = self.session.backend(name)
            self.build_seconds[name] = time.perf_counter() - began
        else:
            with told_apart():
                built = self.session.backend(name)
        if isinstance(built, Unsupported):
            raise UnsupportedError(built)
        return built

    @contextlib.contextmanager
    def opened(self, key: BenchKey, fresh: bool = False) -> Iterator[Workload]:
        """A workload, ready to be called while the block lasts: parameters cast, arguments in the backend's own layout.

        Args:
            fresh: nothing of the model may have run before its first call, which is what is timed.

        Raises:
            UnsupportedError: it cannot run here.
        """
        fmt = get_format(key.format)
        backend = self.backend(key.backend)
        if fmt.emulated(backend.device.type):
            raise UnsupportedError(f"{fmt.name} is emulated on a CPU: it has no latency of its own")
        if key.subject == MODEL:
            block, make = WHOLE, self._whole
        else:
            observed = self.arguments(key.system, key.batch)
            if key.subject in observed.refusals:
                raise UnsupportedError(observed.refusals[key.subject][1])
            block = observed.blocks[key.subject][0]
            make = self._block
        if why := unsupported(backend, block, fmt) or self._otherwise(key, backend, block):
            raise UnsupportedError(why)
        if not fresh:
            self._evaluate_once(key.system, key.batch)
        with neutral(), backend.prepared(block, fmt), arithmetic(fmt, backend.device), quiet():
            with told_apart():
                call = make(key, backend, fmt, False)
                first = once(call, backend.device)
            yield Workload(key, block, call, backend.device, first, lambda: make(key, backend, fmt, True))

    def _otherwise(self, key: BenchKey, backend: BackendModel, block: Block) -> Unsupported | None:
        """Why what would be measured is not what was asked for; None where it is, or the user tolerates it."""
        if (reason := backend.substitute(block)) and not tolerated(self.session.allow_degraded, key.backend, key.subject):
            return Unsupported("substituted", reason, key.backend)
        missing = backend.lacking(block)
        text = capabilities().get(missing, f"ran without {missing}")
        return Unsupported("no-kernel", text, missing) if missing and lacks(self.session.required, key.backend, missing) else None

    def _block(self, key: BenchKey, backend: BackendModel, fmt: Format, reshaped: bool) -> Callable[[], Any]:
        block, skeleton, tensors = self._observed(key, reshaped)
        backward = key.work == "forward+backward"
        cast = {n: t.to(backend.device, fmt.storage if t.is_floating_point() else None) for n, t in tensors.items()}
        with torch.no_grad():  # the conversion to the backend's layout is no part of what is measured
            function, positional, named = backend.native(block, unflatten(skeleton, cast))
        own: Tensors = {}
        shape = flatten((positional, named), "in", own)
        own = map_tensors(lambda t: t.detach().requires_grad_(backward), own)
        positional, named = unflatten(shape, own)
        parameters = list(backend.parameters(block).values())
        if not backward:

            def forward() -> Any:
                with torch.no_grad():
                    return function(*positional, **named)

            return forward
        leaves = [t for t in own.values() if t.requires_grad] + parameters
        cotangents: dict[str, torch.Tensor] = {}

        def prepare(made: Tensors) -> None:
            generator = torch.Generator().manual_seed(self.session.seed)
            for name, t in made.items():
                if t.requires_grad:
                    cotangents[name] = torch.randn(t.shape, generator=generator, dtype=torch.float64).to(t)
            if not cotangents or not leaves:
                raise UnsupportedError("no gradient: nothing in it depends on a floating-point input")

        def both() -> Any:
            made: dict[str, torch.Tensor] = {}
            flatten(function(*positional, **named), "out", made)
            if not cotangents:  # in the first call: a call of its own would take from that what is compiled in it
                prepare(made)
            return torch.autograd.grad([made[n] for n in cotangents], leaves, list(cotangents.values()), allow_unused=True)

        return both

    def _observed(self, key: BenchKey, reshaped: bool) -> Any:
        """A block and its arguments, as they were observed.

        Raises:
            UnsupportedError: it was not called on the other structures, or is refused there.
        """
        observed = self.arguments(key.system, key.batch, reshaped)
        if key.subject not in observed.blocks:
            raise UnsupportedError(
                observed.refusals[key.subject][1] if key.subject in observed.refusals else "not called with another number of structures"
            )
        return observed.blocks[key.subject]

    def _whole(self, key: BenchKey, backend: BackendModel, fmt: Format, reshaped: bool) -> Callable[[], Any]:
        module: Any = backend.module(WHOLE)  # the whole model is one
        made = self.graph(key.system, key.batch, reshaped)
        graph = {n: t.to(backend.device, fmt.storage if t.is_floating_point() else None) for n, t in made.items()}
        forces = key.work == "energy+forces"

        def run() -> Any:
            data = {n: t.clone() for n, t in graph.items()}  # upstream writes into the dictionary and asks for gradients
            with torch.set_grad_enabled(forces):
                return module(data, compute_force=forces)

        return run
