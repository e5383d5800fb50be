"""Upstream's trainer: its batches, losses, optimiser and the step that it takes."""
