"""Faults as context managers: each changes one thing of mace, e3nn, cuequivariance_torch or torch and puts it back."""

from __future__ import annotations

from tests.faults.patches import (
    arithmetic,
    blocks,
    converter,
    doors,
    geometry,
    gradients,
    heads,
    layouts,
    neighbours,
    outputs,
    rows,
    running,
    uses,
    weights,
)
from tests.faults.patches.planting import Patch, collected

_MODULES = (arithmetic, blocks, converter, doors, geometry, gradients, heads, layouts, neighbours, outputs, rows, running, uses, weights)
PATCHES: dict[str, Patch] = collected(*_MODULES)
"""Every patch by the name that the catalogue uses."""

__all__ = ["PATCHES", "Patch"]
