"""Do one pass of the suite over a model under a variation, with its references kept for the next."""

from __future__ import annotations

import contextlib
import copy
import functools
import time
from collections import Counter
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

import torch

from mpcheck._names import WHOLE
from mpcheck.checks.precision import CellKey
from mpcheck.formats import get_format
from mpcheck.records.record import Record
from mpcheck.reference.cut import MOST_EDGES
from mpcheck.sessions.precision.limits import judge_by_limits
from mpcheck.sessions.precision.whole import whole_records
from mpcheck.sessions.precision.work import planned_whole
from mpcheck.sessions.run import Options, Session
from tests import inspections
from tests.stability.records import Pass
from tests.stability.variations import BACKENDS, VARIATIONS, with_backend

COMPILED = ("node_embedding.linear", "radial_embedding.*", "interactions.*.linear*", "interactions.*.conv_tp_weights", "readouts.*", "scale_shift")
"""Blocks that are compiled: some seconds each, in each format and direction."""
COMPILED_FORMATS = ("float32", "bfloat16", "float16")
Progress = Callable[[str], None]


@dataclass(frozen=True)
class Group:
    """Passes that share references.

    Attributes:
        variations: names of ``VARIATIONS`` and ``BACKENDS``; sessions: whose findings are judged besides, as installed; ``whole``: the whole
            model in several orders of atoms, which the precision session looks at where blocks see a part.
        systems: empty for the model's default ones.
    """

    model: str
    seed: int
    variations: tuple[str, ...]
    sessions: tuple[str, ...] = ()
    systems: tuple[str, ...] = ()


class Runner:
    """Runs groups, one after another, in one process; twins of a model are built once."""

    def __init__(self, cache: Path, progress: Progress) -> None:
        self.cache, self.progress = cache, progress
        self._built: dict[str, Session] = {}

    def session(self, group: Group) -> Session:
        """The session of a group; sessions of one model share its float64 model and its twins."""
        made = Session(Options(model=group.model, systems=group.systems, cache=self.cache, seed=group.seed))
        first = self._built.setdefault(group.model, made)
        made._backends = first._backends
        made.__dict__["reference_backend"] = first.reference_backend
        return made

    def run(self, group: Group, done: Callable[[Pass], None]) -> None:
        """Every pass of a group, each given to ``done`` as soon as it is there."""
        session = self.session(group)
        for system in session.systems:  # references are made as installed, before anything varies
            for block in session.blocks(system):
                self.progress(f"{group.model} seed {group.seed}: reference of {block.name} on {system}")
                library = session.library(system)
                if not library.refused(block.name):
                    library.get(block.name)
                    for dtype in (torch.bfloat16, torch.float16):
                        library.rounded(block.name, dtype)
        for variation in group.variations:
            done(self._pass(session, group, variation))
        for name in group.sessions:
            done(self._findings(session, group, name))

    def _pass(self, session: Session, group: Group, variation: str) -> Pass:
        if variation in BACKENDS:
            session = with_backend(session, BACKENDS[variation](session))
            session.options = replace(session.options, backends=("e3nn",), blocks=COMPILED if variation == "torch.compile" else ())
            if variation == "torch.compile":
                session = copy.copy(session)
                session.formats = [get_format(f) for f in COMPILED_FORMATS]
                session.systems = dict(list(session.systems.items())[:1])
        return judged(session, group, variation, session.cells(), self.progress)

    def _findings(self, session: Session, group: Group, name: str) -> Pass:
        began = time.perf_counter()
        verdicts, red = Counter[str](), list[str]()
        work: list[Callable[[], list[Record]]]
        if name == WHOLE:
            work = [functools.partial(whole_records, session, planned_whole(system)) for system in session.systems]
        else:
            work = [functools.partial(inspections.run, name, session, key) for key in inspections.keys(name, session)]
        for number, piece in enumerate(work):
            self.progress(f"{group.model} seed {group.seed}, {name} session: {number} of {len(work)}")
            for found in piece():
                verdicts[found.verdict] += 1
                if found.verdict == "fail":
                    red.append(f"{found.id}: {found.reason}")
        return Pass(
            session=name, model=group.model, seed=group.seed, threads=torch.get_num_threads(), variation="as installed",
            cells=sum(verdicts.values()), verdicts=dict(verdicts), red=red, seconds=round(time.perf_counter() - began, 1),
        )  # fmt: skip


def judged(session: Session, group: Group, variation: str, keys: Sequence[CellKey], progress: Progress) -> Pass:
    """Cells of the precision session under a variation."""
    began = time.perf_counter()
    change: Callable[[], contextlib.AbstractContextManager[object]] = VARIATIONS.get(variation, contextlib.nullcontext)
    verdicts, red, sampled = Counter[str](), list[str](), 0
    with change() as acted:
        for number, key in enumerate(keys):
            if not number % 100:
                progress(f"{group.model} seed {group.seed}, {variation}: {number} of {len(keys)} cells, {len(red)} red")
            cell = judge_by_limits(session, key)
            verdicts[cell.verdict] += 1
            sampled += cell.verdict in ("pass", "fail") and is_large(session, key.system)
            if cell.verdict == "fail":
                red.append(f"{cell.id}: {cell.reason}")
        threads, act = torch.get_num_threads(), acted() if callable(acted) else None
    return Pass(
        session="precision", model=group.model, seed=group.seed, threads=threads, variation=variation, cells=len(keys),
        verdicts=dict(verdicts), red=red, act=act, sampled=sampled, seconds=round(time.perf_counter() - began, 1),
    )  # fmt: skip


def is_large(session: Session, system: str) -> bool:
    """Whether blocks see a part of a system."""
    return session.graph(system)["edge_index"].shape[1] > MOST_EDGES
