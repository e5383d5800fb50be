"""Properties of a whole model in float64: which there are on which systems and backends, and how one is judged."""

from __future__ import annotations

from collections.abc import Callable, Collection, Mapping
from dataclasses import dataclass, replace
from functools import partial

import numpy as np
from ase import Atoms

from mpcheck._raised import Raised, attempt
from mpcheck._unsupported import Unsupported
from mpcheck.adapters.load import LoadedModel
from mpcheck.checks.physics.heads import every_head
from mpcheck.checks.physics.structure import Case, case_of, choose_frame
from mpcheck.formats import FLOAT64
from mpcheck.judge.context import Context, Inspection, Key, timed
from mpcheck.judge.refusing import refused
from mpcheck.records.record import Record


def without_periodicity(frame: Atoms) -> bool:
    """Whether no direction of a structure is periodic."""
    return not bool(np.any(frame.pbc))


def _any(frame: Atoms) -> bool:
    return True


def _whatever(model: LoadedModel) -> bool:
    return True


def _smallest(context: Context) -> str:
    return min(context.systems, key=lambda s: context.systems[s].atoms, default="")


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


def keys(check: str, properties: Mapping[str, Property], once: Collection[str], context: Context) -> list[Key]:
    """System by system and backend by backend, then what needs no system.

    Args:
        check: name of the check that the properties belong to.
        once: of upstream's own modules, whatever the backend.
    """

    def of(system: str, wanted: str) -> list[Key]:
        return [
            Key(check, name, backend, FLOAT64.name, system)
            for backend in context.backend_names
            for name, entry in properties.items()
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
    return everywhere + [key for key in of("", "own") if key.subject not in once or key.backend == context.backend_names[0]]


@timed
def run(properties: Mapping[str, Property], context: Context, key: Key) -> list[Record]:
    """One property."""
    entry = properties[key.subject]
    case = case_of(context, key)
    if isinstance(case, Record):
        return [case]
    if entry.systems != "own":
        frame = choose_frame(list(context.systems[key.system].frames), entry.accepts)
        if isinstance(frame, str):
            return [refused(key.about, Unsupported("not-applicable", frame))]
        case = replace(case, frame=frame)
    cases = [case]
    if entry.every_head and key.system == _smallest(context):
        cases += every_head(case, case.atoms)
    return [record for one in cases for record in _judged(entry, one)]


def _judged(entry: Property, case: Case) -> list[Record]:
    records = attempt(lambda: entry.check(case))
    return [case.finding(None, reason=f"raised {records.text}")] if isinstance(records, Raised) else records


def inspection(check: str, properties: Mapping[str, Property], once: Collection[str] = ()) -> Inspection:
    """The check that properties make up; see :func:`keys`."""
    return Inspection(check, partial(keys, check, properties, once), partial(run, properties))
