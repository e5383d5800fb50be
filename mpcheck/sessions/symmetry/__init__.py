"""The symmetry session: what a rotation, an inversion, another layout or another backend may not change."""

from __future__ import annotations

from mpcheck._names import SYMMETRY
from mpcheck.sessions.contract import InspectedSpec

SESSION = InspectedSpec(
    name="symmetry",
    title="Rotations, inversion, permutations, layouts, mixed backends and conversion of a model.",
    order=20,
    work="mpcheck.sessions.symmetry.work:SymmetryWork",
    folder="symmetry",
    checks=SYMMETRY,
    block_checks=("equivariance", "layout"),
)
