"""Which checks the audit session runs."""

from __future__ import annotations

from mpcheck.checks.audit import accumulation, dtypes, engagement, graph, reductions, size
from mpcheck.checks.physics import properties
from mpcheck.checks.uses import doors, modes, outputs
from mpcheck.sessions.inspections import InspectedWork


class AuditWork(InspectedWork):
    """Engagement, number types, accumulation, reductions, the graph, size, physics without a reference, uses beyond evaluation."""

    inspections = (
        engagement.INSPECTION, dtypes.INSPECTION, accumulation.INSPECTION, reductions.INSPECTION, graph.INSPECTION, size.INSPECTION,
        properties.INSPECTION, modes.INSPECTION, outputs.INSPECTION, doors.INSPECTION,
    )  # fmt: skip
