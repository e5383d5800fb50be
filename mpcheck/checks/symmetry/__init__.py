"""Rotations, permutations, layouts, mixed backends, conversion."""
