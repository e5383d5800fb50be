"""The bits of everything that a planting's place gives back, so that a twin that changes rounding can be told from one that does not."""

from __future__ import annotations

from collections.abc import Mapping

import torch

from mpcheck._unsupported import Unsupported
from mpcheck.adapters.backends.casting import replaced, to_dtype
from mpcheck.adapters.backends.protocol import BackendModel
from mpcheck.adapters.execution import Tensors
from mpcheck.adapters.graph import make_graph
from mpcheck.adapters.upstream import quiet
from mpcheck.checks.symmetry import conversions
from mpcheck.formats import get_format
from mpcheck.judge.context import Key
from mpcheck.judge.metrics import bits_digest
from mpcheck.judge.replay import DIRECTIONS, replay
from mpcheck.judge.upstream_limits import load_limits
from mpcheck.sessions.run import Session
from tests import inspections
from tests.faults.catalogue import Plant
from tests.faults.catalogue_runs import OWN_CONFIGURATIONS

PERIODIC = {"compute_virials": True, "compute_stress": True, "compute_atomic_stresses": True}
# stresses would depend on the cell that stands in, and torch has no determinant of 16-bit cells
APERIODIC = {"compute_virials": True, "compute_edge_forces": True}
CLUSTER = 12
"""Atoms of the structure without periodicity."""
Digests = Mapping[str, str]


def _model_of(session: Session, name: str) -> BackendModel:
    built = session.backend(name)
    assert not isinstance(built, Unsupported), built
    return built


def _whole(session: Session, plant: Plant, dtype: torch.dtype) -> Tensors:
    """Everything that the whole model gives back for the planting's first frame, and for some of its atoms without periodicity.

    Their graphs are made anew.
    """
    model: torch.nn.Module = _model_of(session, plant.backend).model  # type: ignore[attr-defined]
    frame = session.systems[plant.system].frames[0]
    alone = frame[:CLUSTER]
    alone.set_cell(None)
    alone.set_pbc(False)
    found: Tensors = {}
    with replaced(model, to_dtype(dtype)), quiet():
        for label, atoms, flags in (("whole", frame, PERIODIC if frame.pbc.all() and dtype.itemsize > 2 else APERIODIC), ("alone", alone, APERIODIC)):
            graph = make_graph((atoms,), session.model.elements, session.model.r_max, session.model.heads)
            out = model({k: t.to(dtype) if t.is_floating_point() else t.clone() for k, t in graph.items()}, **flags)
            found |= {f"{label} {k}": v for k, v in out.items() if isinstance(v, torch.Tensor)}
    return found


def _conversion(session: Session, plant: Plant) -> Digests:
    """The figures of what the conversion check finds: it builds its models itself."""
    if plant.subject in OWN_CONFIGURATIONS:
        found = conversions.judge_configuration(session, OWN_CONFIGURATIONS[plant.subject], load_limits())
    else:
        found = inspections.run("symmetry", session, Key(plant.check, plant.subject, plant.backend))
    return {f.variant: f"{f.verdict} {f.ratio!r} {f.worst} {sorted(f.figures.items())}" for f in found}


def block_results(session: Session, backend: str, fmt: str, block: str, system: str) -> Digests:
    """Digests of a block's outputs and every gradient, by name."""
    reference, found = session.library(system).get(block), {}
    for direction in DIRECTIONS:
        found.update(replay(_model_of(session, backend), reference, get_format(fmt), direction))
    return {name: bits_digest(t) for name, t in sorted(found.items())}


def results(session: Session, plant: Plant, calls: int = 1) -> Digests:
    """A digest of each tensor of the planting's block, or of the whole model, by name.

    Args:
        calls: the last of so many is digested. Without a change first use ``WARM_UP + 1``: until then TorchScript has not
            optimised what it runs, and calls may round otherwise.
    """
    if plant.check == "conversion":
        return _conversion(session, plant)
    blocks = {b.name for b in session.library(plant.system).blocks()}
    found: Digests = {}
    for _ in range(calls):
        if plant.subject in blocks:
            found = block_results(session, plant.backend, plant.format, plant.subject, plant.system)
        else:
            found = {n: bits_digest(t) for n, t in sorted(_whole(session, plant, get_format(plant.format).storage).items())}
    return found
