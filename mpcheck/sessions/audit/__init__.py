"""The audit session: which kernels and number types really ran; accumulation, reductions at scale, physics without a reference."""

from __future__ import annotations

from mpcheck._names import AUDIT
from mpcheck.sessions.contract import SessionSpec
from mpcheck.sessions.options import InspectedOptions

SESSION = SessionSpec(
    name="audit",
    command="audit",
    title="Which kernels and number types really ran; accumulation, reductions at scale, physics without a reference.",
    order=30,
    options=InspectedOptions,
    without=("tolerances",),
    work="mpcheck.sessions.audit.work:AuditWork",
    folder="audit",
    checks=AUDIT,
    block_checks=("engagement", "accumulation"),
)
