"""Names that records, and what reads them, have in common: checks whose findings, or cells, go through the file of known faults; backends."""

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
REFERENCE_BACKEND = "e3nn"
"""The backend whose float64 model is the reference."""
ACCELERATED_BACKEND = "cueq"
"""What is judged besides where the user names no backend."""
DEFAULT_BACKENDS = (REFERENCE_BACKEND, ACCELERATED_BACKEND)
