"""A frame of a file, as its reader made it."""

from __future__ import annotations

from dataclasses import dataclass

from ase import Atoms


@dataclass(frozen=True)
class Frame:
    """One structure of a file.

    Attributes:
        number: which one of the file, from 0. notes: what was understood otherwise than it is written, a line each.
    """

    atoms: Atoms
    number: int
    notes: tuple[str, ...] = ()
