"""Physics that holds without a reference: of a whole model in float64, on every backend.

A model whose blocks each agree with themselves may still be wrong as a whole: forces that are not the energy's gradient,
a stress over another cell's volume, node energies that lost their E0. Nothing here is compared with stored numbers.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace

import numpy as np
from ase import Atoms

from mpcheck._raised import Raised, attempt
from mpcheck._unsupported import Unsupported
from mpcheck.adapters.blocks import WHOLE
from mpcheck.adapters.load import LoadedModel
from mpcheck.checks.physics import closed_forms, directions, forces, ghosts, graph_strides, heads, repeats, second, shape, strides, sums
from mpcheck.checks.physics.structure import Case, choose_frame
from mpcheck.formats import FLOAT64
from mpcheck.judge.context import Context, Inspection, Key, timed
from mpcheck.judge.refusing import refused
from mpcheck.records.record import Record

NAME = "physics"


def _open(frame: Atoms) -> bool:
    return not bool(np.any(frame.pbc))


def _any(frame: Atoms) -> bool:
    return True


def _whatever(model: LoadedModel) -> bool:
    return True


@dataclass(frozen=True)
class Property:
    """One property.

    Attributes:
        check: judges it.
        systems: on every system (``all``), on the first of each periodicity (``kinds``), on the one with fewest atoms (``one``),
            or on structures of its own (``own``).
        accepts: which structures it can be judged on. applies: to which models.
        every_head: whether the system with fewest atoms is judged for every head.
    """

    check: Callable[[Case], list[Record]]
    systems: str = "all"
    accepts: Callable[[Atoms], bool] = _any
    applies: Callable[[LoadedModel], bool] = _whatever
    every_head: bool = False


PROPERTIES: dict[str, Property] = {
    "finite-difference": Property(forces.finite_difference, every_head=True),
    "stress": Property(forces.stress, every_head=True),
    "node-energies": Property(sums.node_energies, every_head=True),
    "net-force": Property(sums.net_force, every_head=True),
    "torque": Property(sums.torque, accepts=_open, every_head=True),
    "batch": Property(sums.batch, "kinds"),
    "heads": Property(heads.heads, "one", applies=heads.several),
    "repeat": Property(repeats.repeat, "one"),
    "strided": Property(strides.strided, "one"),
    "strided-model": Property(graph_strides.strided_model, "own"),
    "directions": Property(directions.directions, "own"),
    "second-derivatives": Property(second.second_derivatives, "own"),
    "closed-forms": Property(closed_forms.closed_forms, "one"),
    "ghosts": Property(ghosts.ghosts, "kinds"),
    "ghost-classes": Property(ghosts.ghost_classes, "own"),
    "smoothness": Property(shape.smoothness, "own"),
    "edges": Property(shape.edges, "own"),
    "empty": Property(shape.empty, "own"),
    "indices": Property(shape.indices, "own"),
}


ONCE = ("indices", "ghost-classes")  # of upstream's own modules, whatever the backend


def keys(context: Context) -> list[Key]:
    """System by system and backend by backend, then what needs no system."""

    def of(system: str, wanted: str) -> list[Key]:
        return [
            Key(NAME, name, backend, FLOAT64.name, system)
            for backend in context.backend_names
            for name, entry in PROPERTIES.items()
            if entry.systems == wanted
            and entry.applies(context.model)
            and (not system or any(entry.accepts(f) for f in context.systems[system].frames))
        ]

    smallest = _smallest(context)
    kinds: dict[tuple[bool, ...], str] = {}
    for system, entry in context.systems.items():
        kinds.setdefault(tuple(bool(p) for p in entry.frames[-1].pbc), system)
    everywhere = []
    for system in context.systems:
        everywhere += of(system, "all") + (of(system, "kinds") if system in kinds.values() else [])
        everywhere += of(system, "one") if system == smallest else []
    return everywhere + [key for key in of("", "own") if key.subject not in ONCE or key.backend == context.backend_names[0]]


def _smallest(context: Context) -> str:
    return min(context.systems, key=lambda s: context.systems[s].atoms, default="")


@timed
def run(context: Context, key: Key) -> list[Record]:
    """One property."""
    entry = PROPERTIES[key.subject]
    backend = context.backend(key.backend)
    if isinstance(backend, Unsupported):
        return [refused(key.about, backend)]
    if (model := backend.module(WHOLE)) is None:
        return [refused(key.about, Unsupported("not-applicable", f"backend {key.backend} has no whole model"))]
    case = Case(context, key, model, backend.device)
    if entry.systems != "own":
        frame = choose_frame(list(context.systems[key.system].frames), entry.accepts)
        if isinstance(frame, str):
            return [refused(key.about, Unsupported("not-applicable", frame))]
        case = replace(case, frame=frame)
    cases = [case]
    if entry.every_head and key.system == _smallest(context):
        cases += heads.every_head(case, case.atoms)
    return [record for one in cases for record in _judged(entry, one)]


def _judged(entry: Property, case: Case) -> list[Record]:
    records = attempt(lambda: entry.check(case))
    return [case.finding(None, reason=f"raised {records.text}")] if isinstance(records, Raised) else records


INSPECTION = Inspection(NAME, keys, run)
