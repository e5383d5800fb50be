"""Replay the blocks that a planting of the catalogue names, with the fault in them, and ask every rule."""

from __future__ import annotations

import contextlib
from collections.abc import Iterator
from fnmatch import fnmatchcase
from pathlib import Path
from typing import Any

import torch

from mpcheck._unsupported import Unsupported
from mpcheck.adapters.backends.protocol import get_backend
from mpcheck.checks.physics.structure import evaluate
from mpcheck.checks.precision import CellKey
from mpcheck.judge.metrics import bits_digest
from mpcheck.sessions.run import Session
from tests.faults import catalogue, catalogue_runs
from tests.faults.catalogue import Fault, Plant
from tests.faults.deciders.observing import RAISED, observed
from tests.faults.deciders.peers import DECIDERS
from tests.faults.deciders.records import Trial
from tests.faults.deciders.rules import Observed, Outcome, decide
from tests.faults.patches import PATCHES

VALUE_CHECKS = ("precision", "golden", "accumulation", "layout", "mix", "conversion", "equivariance")
"""Checks whose faults act on what blocks compute."""
END_TO_END = "MACE, end to end"
NAMED = "mpcheck, the check that the planting names"
MOST_BLOCKS = 12


def plantings() -> list[tuple[str, Fault, Plant]]:
    """Every planting of the catalogue whose check looks at what blocks compute, with its label."""
    return [(f"{plant_id}-{plant.patch}", fault, plant) for plant_id, fault, plant in catalogue.plantings() if plant.check in VALUE_CHECKS]


def cells(session: Session, plant: Plant) -> list[CellKey]:
    """Cells to replay: the block itself of a precision planting, else all that match what must be named."""
    names = [b.name for b in session.library(plant.system).blocks()]
    chosen = [plant.subject] if plant.subject in names else [n for n in names if fnmatchcase(n, plant.expected)]
    return [CellKey(plant.system, n, plant.backend, plant.format, plant.direction) for n in chosen[:MOST_BLOCKS]]


def _values(session: Session, keys: list[CellKey]) -> list[Observed] | None:
    """None where a block raised or gave something that cannot be compared."""
    try:
        return [one for key in keys for one in observed(session, key)]
    except RAISED:
        return None


def _same(one: list[Observed] | None, other: list[Observed] | None) -> bool:
    if one is None or other is None or len(one) != len(other):
        return False
    return all(_alike(a.low, b.low) and _alike(a.value, b.value) for a, b in zip(one, other, strict=True))


def _alike(a: torch.Tensor, b: torch.Tensor) -> bool:
    return a.shape == b.shape and a.dtype == b.dtype and bool(((a == b) | (a.isnan() & b.isnan())).all())


def _prepared(session: Session, plant: Plant, cache: Path) -> Session:
    """The session that a planting needs: with references or a converted twin of its own where the fault comes before them."""
    if plant.inherited:
        return catalogue_runs.anew(session, cache)
    if plant.check == "conversion":
        return Session(session.options)  # the twin is built anew, with the fault in the converter
    return session


def _digest(session: Session) -> str:
    """Of every parameter's bits, which a conversion hands on."""
    return "".join(bits_digest(p) for p in session.reference_backend.model.parameters())


def end_to_end(session: Session, plant: Plant, converted: bool) -> Outcome:
    """Upstream's own rule as upstream applies it: energy, forces and stress of the whole model, e3nn against cueq, in float64.

    Args:
        converted: the fault is in the parameters, so that the twin is to be converted from them.
    """
    if plant.format != "float64":
        return "not tested"
    name = "cueq" if plant.backend == "e3nn" else plant.backend
    twin = get_backend(name).build(session.reference_backend.model, session.device) if converted else session.backend(name)
    if isinstance(twin, Unsupported):
        return "not tested"
    graph = session.graph(plant.system)
    try:
        one, other = (evaluate(m, graph, compute_stress=True) for m in (session.reference_backend.model, twin.model))  # type: ignore[attr-defined]
        for name in ("energy", "forces", "stress"):
            torch.testing.assert_close(other[name], one[name])
    except (AssertionError, *RAISED):
        return "seen"
    return "missed"


def attempt(session: Session, label: str, plant: Plant, cache: Path) -> Trial:
    """One planting, by every rule.

    Args:
        cache: an empty directory for what the planting may not leave in the session's.
    """
    keys = cells(session, plant)
    base: dict[str, Any] = {
        "plant": label, "check": plant.check, "blocks": [k.block for k in keys], "backend": plant.backend, "format": plant.format,
        "direction": plant.direction,
    }  # fmt: skip
    if not keys:
        return Trial(**base, excluded=f"{plant.expected} is no block of this model")
    clean, weights = _values(session, keys), _digest(session)
    with _planted(session, plant, cache) as faulty:
        found = _values(faulty, keys)
        whole = end_to_end(faulty, plant, weights != _digest(faulty))
    if _same(found, clean):
        return Trial(**base, excluded="changes no bit of these blocks in a replay on this model")
    outcomes: dict[str, Outcome] = {END_TO_END: whole}
    for rule in DECIDERS:
        if found is None:
            outcomes[rule.name] = "seen" if plant.format in rule.formats else "not tested"
            continue
        outcome = decide(rule, found)
        anyway = outcome == "seen" and decide(rule, clean or []) == "seen"
        outcomes[rule.name] = "always red" if anyway else outcome
    again = cache / "named"
    again.mkdir(parents=True)
    outcomes[NAMED] = "seen" if catalogue_runs.conclude(session, plant, True, again).verdict == plant.red else "missed"
    return Trial(**base, outcomes=outcomes)


@contextlib.contextmanager
def _planted(session: Session, plant: Plant, cache: Path) -> Iterator[Session]:
    own = cache / "replay"
    own.mkdir(parents=True)
    faulty = _prepared(session, plant, own)
    with PATCHES[plant.patch](faulty, **plant.arguments):
        yield faulty
