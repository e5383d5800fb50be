"""Training in lower precision: one step replayed and judged, and short trainings compared."""
