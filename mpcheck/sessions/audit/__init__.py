"""The audit session: which kernels and number types really ran; accumulation, reductions at scale, the graph, size, physics without a reference."""

from __future__ import annotations

from mpcheck._names import AUDIT
from mpcheck.sessions.contract import InspectedSpec

SESSION = InspectedSpec(
    name="audit",
    title="Which kernels and number types really ran; accumulation, reductions at scale, the graph, size, physics, training, outputs, doors.",
    order=30,
    work="mpcheck.sessions.audit.work:AuditWork",
    folder="audit",
    checks=AUDIT,
    block_checks=("engagement", "accumulation", "size"),
)
