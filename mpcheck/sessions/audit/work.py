"""Which checks the audit session runs."""

from __future__ import annotations

from mpcheck.checks.audit import accumulation, dtypes, engagement, graph, reductions
from mpcheck.checks.physics import properties
from mpcheck.sessions.inspections import InspectedWork


class AuditWork(InspectedWork):
    """Engagement, number types, accumulation, reductions at scale, the graph, physics without a reference."""

    inspections = (
        engagement.INSPECTION, dtypes.INSPECTION, accumulation.INSPECTION, reductions.INSPECTION, graph.INSPECTION, properties.INSPECTION,
    )  # fmt: skip
