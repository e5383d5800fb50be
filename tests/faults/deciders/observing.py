"""The data that every rule judges: one replayed cell, its float64 reference, and the plain result in the same format."""

from __future__ import annotations

import torch

from mpcheck._unsupported import Unsupported
from mpcheck.checks.precision import CellKey
from mpcheck.formats import get_format
from mpcheck.judge.replay import BACKWARD, replay
from mpcheck.sessions.run import Session
from tests.faults.deciders.rules import GRADIENTS, Observed

RAISED = (RuntimeError, TypeError, ValueError, NotImplementedError, IndexError, AssertionError)


def refused(session: Session, key: CellKey) -> str:
    """Why a cell has nothing to judge, as the precision session says it; empty where it has."""
    library, fmt, backend = session.library(key.system), get_format(key.format), session.backend(key.backend)
    if isinstance(backend, Unsupported):
        return backend.text
    reason = library.refused(key.block) or backend.unsupported(library.block(key.block), fmt)
    if reason:
        return str(reason)
    reference = library.get(key.block)
    if not any(reference.values[n].numel() for n in names(session, key)):
        return "no gradient"
    return "range" if reference.peaks[key.direction] > fmt.largest else ""


def names(session: Session, key: CellKey) -> list[str]:
    """Quantities of a cell's direction."""
    values = session.library(key.system).get(key.block).values
    return [n for n in values if n.startswith(GRADIENTS) == (key.direction == BACKWARD)]


def observed(session: Session, key: CellKey) -> list[Observed]:
    """Every quantity that a cell's backend has, with mpcheck's own verdict on it; none where :func:`refused` gives a reason.

    Raises:
        RuntimeError, TypeError, ValueError, …: what the block raised, as those of ``RAISED``.
    """
    backend = session.backend(key.backend)
    if isinstance(backend, Unsupported) or refused(session, key):
        return []
    check, fmt = session.check(key.system), get_format(key.format)
    reference = check.library.get(key.block)
    low = replay(backend, reference, fmt, key.direction)
    plain = low if key.backend == "e3nn" else replay(session.reference_backend, reference, fmt, key.direction)
    found = []
    for quantity in check.compare_all(reference, backend, low, names(session, key), fmt, key):
        value = reference.values[quantity.name]
        lost = torch.full_like(value, float("nan"))
        own = low.get(quantity.name, lost)
        # a parameter in the twin's own parametrisation has no plain counterpart: the format's rounding of the reference stands for it
        beside = plain.get(quantity.name, value.to(fmt.storage))
        found.append(Observed(quantity.name, own.to(value.device), value, beside.to(value.device), quantity, key.backend, key.format))
    return found
