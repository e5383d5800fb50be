"""Which plantings: independent items, seeded, sharing cells so that a sound replay serves several."""

from __future__ import annotations

from collections.abc import Sequence

from mpcheck._unsupported import Unsupported
from mpcheck.checks.precision import CellKey
from mpcheck.judge.replay import DIRECTIONS
from mpcheck.reference.noise import seed_of
from mpcheck.sessions.run import Session
from tests.faults.curves.families import FAMILIES, Item, fitting

FORMATS = ("float64", "float32", "bfloat16", "float16")


def cell_items(session: Session, system: str, thinning: int, seed: int, blocks: Sequence[str] = (), formats: Sequence[str] = FORMATS) -> list[Item]:
    """Plantings in leaf blocks and steps.

    Args:
        thinning: every so many magnitudes of a family's grid, from an offset that varies from cell to cell, so that together they
            cover the grid.
        blocks: names; empty for all leaf blocks and steps.
    """
    found = []
    for block in session.library(system).blocks():
        if block.kind == "composite" or (blocks and block.name not in blocks):
            continue
        for backend in session.backend_names:
            if isinstance(session.backend(backend), Unsupported):
                continue
            for fmt in formats:
                for direction in DIRECTIONS:
                    key = CellKey(system, block.name, backend, fmt, direction)
                    for family in fitting(session, key):
                        chance = seed_of("curves", seed, family, block.name, backend, fmt, direction)
                        grid = FAMILIES[family].grid(fmt)
                        found += [Item(family, key, m, (chance + i) % 2**16) for i, m in enumerate(grid) if (i + chance) % thinning == 0]
    return found
