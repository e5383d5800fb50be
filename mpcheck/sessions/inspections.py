"""Which checks the symmetry and the audit session run."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Literal

from mpcheck._errors import InputError
from mpcheck._raised import Raised, attempt_unless_refused, blamed
from mpcheck._torch_state import neutral
from mpcheck.adapters.blocks import names_by_id
from mpcheck.checks.audit import accumulation, dtypes, engagement, reductions
from mpcheck.checks.physics import properties
from mpcheck.checks.symmetry import conversions, equivariance, layouts, mixing
from mpcheck.judge.concluded import concluded
from mpcheck.judge.context import Context, Inspection, Key
from mpcheck.records.record import Record

SuiteName = Literal["symmetry", "audit"]

SUITES: dict[SuiteName, tuple[Inspection, ...]] = {
    "symmetry": (equivariance.INSPECTION, layouts.INSPECTION, mixing.INSPECTION, conversions.INSPECTION),
    "audit": (engagement.INSPECTION, dtypes.INSPECTION, accumulation.INSPECTION, reductions.INSPECTION, properties.INSPECTION),
}
"""In the order in which they run."""


@neutral()
def keys(suite: SuiteName, context: Context, only: Sequence[str] = ()) -> list[Key]:
    """All the work of a session, or that of the checks named.

    Raises:
        InputError: a name that is no check of the session.
    """
    names = [inspection.name for inspection in SUITES[suite]]
    unknown = [name for name in only if name not in names]
    if unknown:
        raise InputError(f"unknown check {unknown[0]!r} of the {suite} session; choose from {', '.join(names)}")
    chosen = [inspection for inspection in SUITES[suite] if not only or inspection.name in only]
    return [key for inspection in chosen for key in _planned(inspection, context)]


def _planned(inspection: Inspection, context: Context) -> list[Key]:
    """A check's work; where the judged code raises while it is planned, one piece that says so.

    Raises:
        InputError: bad input.
    """
    found = attempt_unless_refused(lambda: inspection.keys(context))
    if not isinstance(found, Raised):
        return found
    block = blamed(found.error, names_by_id(context.reference_backend.model)) or "model"
    key = Key(inspection.name, block, "e3nn", "float64")
    context.broken[key.id] = found
    return [key]


@neutral()
def run(suite: SuiteName, context: Context, key: Key) -> list[Record]:
    """One piece of it."""
    inspection = next(i for i in SUITES[suite] if i.name == key.check)
    return concluded(context, inspection.run(context, key))
