"""Benign twins of the faults: the same place and the same kind of edit, with sound numerics, which must stay green."""

from __future__ import annotations

from tests.faults.patches.planting import collected
from tests.faults.twins import (
    arithmetic,
    blocks,
    conversion,
    derivatives,
    doors,
    energies,
    geometry,
    heads,
    neighbours,
    rows,
    running,
    spans,
    uses,
    weights,
)
from tests.faults.twins.acting import Acts, Twin

_MODULES = (arithmetic, blocks, conversion, derivatives, doors, energies, geometry, heads, neighbours, rows, running, spans, uses, weights)
TWINS: dict[str, Twin] = collected(*_MODULES)
"""Every twin by the name that its file uses; called with the session, an :class:`Acts` and the file's arguments."""

__all__ = ["TWINS", "Acts", "Twin"]
