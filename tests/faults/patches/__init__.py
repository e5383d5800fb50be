"""Faults as context managers: each changes one thing of mace, e3nn, cuequivariance_torch or torch and puts it back."""

from __future__ import annotations

from tests.faults.patches import arithmetic, blocks, converter, geometry, gradients, heads, layouts, outputs, running, weights
from tests.faults.patches.planting import Patch, collected

PATCHES: dict[str, Patch] = collected(arithmetic, blocks, converter, geometry, gradients, heads, layouts, outputs, running, weights)
"""Every patch by the name that the catalogue uses."""

__all__ = ["PATCHES", "Patch"]
