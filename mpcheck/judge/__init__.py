"""From a replayed block to a verdict: replay, noise scale of a format, metrics, limits, known faults, capabilities."""
