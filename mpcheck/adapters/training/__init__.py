"""Upstream's own training, step by step: its loaders, losses, optimisers and loops, in whatever precision."""
