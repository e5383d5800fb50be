"""From measured launches to verdicts."""
