"""One rounding per operation is emulated to the bit."""

from __future__ import annotations

from mpcheck.checks.audit.rounding import disagreement
from mpcheck.formats import FORMATS
from mpcheck.sessions.run import Session


def test_the_emulation_rounds_operands_for_tf32(session: Session) -> None:
    reference, tf32 = session.library("builtin:water").get("interactions.0.linear"), FORMATS["tf32"]
    own = session.reference_backend
    assert disagreement(own, reference, tf32).ratio < 0.05
    assert disagreement(own, reference, FORMATS["float32"]).ratio > 0.5  # native sums: one rounding is not what it does
