"""Names of all checks whose findings, or cells, go through the file of known faults."""

from __future__ import annotations

SYMMETRY = ("equivariance", "layout", "mix", "conversion")
AUDIT = ("engagement", "dtypes", "accumulation", "reductions", "physics")
BENCH = ("latency", "cost", "first-call", "new-shape")
PRECISION, GOLDEN = "precision", "golden"
CHECKS = (PRECISION, *SYMMETRY, *AUDIT, *BENCH)
AUTOCAST = "autocast"
"""What the audit of types calls float32 under autocast, where findings have a format."""
COVERAGE = "coverage"
"""Check of the bench session: whether every stored benchmark is still there."""
