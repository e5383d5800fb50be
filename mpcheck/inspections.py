"""Which checks the symmetry and the audit session run."""

from __future__ import annotations

from typing import Literal

from mpcheck.checks import accumulation, conversions, dtypes, engagement, equivariance, layouts, mixing, physics, reductions
from mpcheck.checks.context import Context, Inspection, Key
from mpcheck.findings import Finding

SuiteName = Literal["symmetry", "audit"]

SUITES: dict[SuiteName, tuple[Inspection, ...]] = {
    "symmetry": (equivariance.INSPECTION, layouts.INSPECTION, mixing.INSPECTION, conversions.INSPECTION),
    "audit": (engagement.INSPECTION, dtypes.INSPECTION, accumulation.INSPECTION, reductions.INSPECTION, physics.INSPECTION),
}
"""In the order in which they run."""


def keys(suite: SuiteName, context: Context) -> list[Key]:
    """All the work of a session."""
    return [key for inspection in SUITES[suite] for key in inspection.keys(context)]


def run(suite: SuiteName, context: Context, key: Key) -> list[Finding]:
    """One piece of it."""
    inspection = next(i for i in SUITES[suite] if i.name == key.check)
    return inspection.run(context, key)
