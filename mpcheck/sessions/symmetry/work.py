"""Which checks the symmetry session runs."""

from __future__ import annotations

from mpcheck.checks.symmetry import conversions, equivariance, layouts, mixing
from mpcheck.sessions.inspections import InspectedWork


class SymmetryWork(InspectedWork):
    """Equivariance, layouts, mixed backends, conversion."""

    inspections = (equivariance.INSPECTION, layouts.INSPECTION, mixing.INSPECTION, conversions.INSPECTION)
