"""e3nn against cuEquivariance over batch size and angular order: the whole model, energy and forces, in one process."""

from __future__ import annotations

import contextlib
import json
import tempfile
import time
from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path

import numpy as np

from mpcheck._files.io import write_text
from mpcheck.adapters.architecture import Architecture
from mpcheck.bench.keys import MODEL, BenchKey, Work
from mpcheck.bench.profile.alternate import alternate
from mpcheck.bench.profile.profiler import finished
from mpcheck.bench.work.workload import UnsupportedError
from mpcheck.bench.work.workloads import Workloads
from mpcheck.sessions.run import Options, Session, parse_device

SYSTEM = "builtin:diamond:1"
L_MAX = (1, 2, 3)
BATCHES = (1, 4, 8, 32)
MOST_ON_A_CPU = 8  # a call of 32 takes seconds there, and no longer for each atom than one of 8
BUDGET = 80.0  # seconds, for all points
POINT = 1.0  # seconds of calls for each point
WORK: Work = "energy+forces"


def architecture(l_max: int) -> Architecture:
    """A small carbon model: 16x0e + 16x1o, two layers, correlation 3, cut-off 6 Å, edge harmonics up to ``l_max``."""
    return Architecture(
        schema_version=1, name=f"sweep-l{l_max}", elements=["C"], atomic_energies={"C": -1030.0}, r_max=6.0, num_polynomial_cutoff=6,
        max_ell=l_max, hidden_irreps="16x0e + 16x1o", avg_num_neighbors=8.0, weights_seed=1,
    )  # fmt: skip


@dataclass(frozen=True)
class SweepPoint:
    """One combination of batch size and angular order.

    Attributes:
        atoms, edges: of the batch.
        seconds: of one call, round by round, by backend; a backend that cannot run here is missing.
        reasons: why a backend, or (under ``*``) the whole point, is missing.
    """

    l_max: int
    batch: int
    atoms: int = 0
    edges: int = 0
    seconds: dict[str, list[float]] = field(default_factory=dict)
    reasons: dict[str, str] = field(default_factory=dict)

    def median(self, backend: str) -> float:
        """Median seconds of a call."""
        return float(np.median(self.seconds[backend]))


def sweep(
    options: Options, l_max: Sequence[int] = L_MAX, batches: Sequence[int] = (), budget: float = BUDGET, point: float = POINT
) -> list[SweepPoint]:
    """Measure every point that fits into the budget; the others say that they were left out.

    Args:
        options: device, backends, seed, and the first format; its model and systems do not matter.
        l_max: angular orders of the edge harmonics; batches: how often the system is repeated; by default 1, 4 and 8, on a GPU 32, too.
        budget: seconds; a model is not built where the one before it, doubled, would end later.
        point: seconds of calls for each point.
    """
    began, points, last = time.perf_counter(), list[SweepPoint](), 0.0
    batches = batches or [size for size in BATCHES if parse_device(options.device).type != "cpu" or size <= MOST_ON_A_CPU]
    for order in l_max:
        spent = time.perf_counter() - began
        if spent + 2 * last > budget:
            points += [_left_out(order, batch, budget) for batch in batches]
            continue
        with tempfile.TemporaryDirectory() as folder:
            path = Path(folder) / "sweep.yaml"
            write_text(path, json.dumps(architecture(order).model_dump()))  # JSON is YAML
            session = Session(replace(options, model=str(path), systems=(SYSTEM,), formats=options.formats[:1], blocks=(MODEL,)))
        workloads = Workloads(session, batches)
        start = time.perf_counter()
        missing = _build(workloads)
        last = time.perf_counter() - start
        for batch in batches:
            if time.perf_counter() - began > budget:
                points.append(_left_out(order, batch, budget))
            else:
                options.progress(f"sweep: l_max {order}, batch {batch}")
                points.append(_measure(workloads, order, batch, point, missing))
    return points


def _left_out(l_max: int, batch: int, budget: float) -> SweepPoint:
    return SweepPoint(l_max, batch, reasons={"*": f"left out: the sweep's {budget:.0f} s were spent"})


def _build(workloads: Workloads) -> dict[str, str]:
    """Build every backend; why some are unavailable."""
    missing = {}
    for name in workloads.session.options.backends:
        try:
            workloads.backend(name)
        except UnsupportedError as reason:
            missing[name] = str(reason)
    return missing


def _measure(workloads: Workloads, l_max: int, batch: int, point: float, missing: dict[str, str]) -> SweepPoint:
    session = workloads.session
    graph, calls, reasons = workloads.graph(SYSTEM, batch), {}, dict(missing)
    with contextlib.ExitStack() as stack:
        for backend in session.options.backends:
            if backend in missing:
                continue
            try:
                workload = stack.enter_context(workloads.opened(BenchKey(SYSTEM, batch, MODEL, backend, session.formats[0].name, WORK)))
            except UnsupportedError as reason:
                reasons[backend] = str(reason)
                continue
            calls[backend] = finished(workload)
        seconds = alternate(calls, point) if calls else {}
    return SweepPoint(l_max, batch, int(graph["positions"].shape[0]), int(graph["edge_index"].shape[1]), seconds, reasons)
