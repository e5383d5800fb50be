"""Labelled structures that a model learns from, and is asked about afterwards: energies in eV, forces in eV/Å."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import Final, Literal

import numpy as np
from ase.data import atomic_numbers

from mpcheck._files.io import digest
from mpcheck.systems.labelled import Labelled

Split = Literal["train", "validation", "test"]
SPLITS: Final[tuple[Split, ...]] = ("train", "validation", "test")


@dataclass(frozen=True)
class Set:
    """A data set in its three parts.

    Attributes:
        name: as the user gave it. alone: energies of isolated atoms by symbol, eV; empty where the data have none.
    """

    name: str
    train: Sequence[Labelled]
    validation: Sequence[Labelled]
    test: Sequence[Labelled]
    alone: Mapping[str, float]

    @property
    def splits(self) -> Iterator[tuple[Split, Sequence[Labelled]]]:
        """Each with its name."""
        yield from zip(SPLITS, (self.train, self.validation, self.test), strict=True)

    @cached_property
    def elements(self) -> list[str]:
        """Symbols that are in it, by atomic number."""
        found = {s for _, own in self.splits for one in own for s in one.atoms.get_chemical_symbols()}
        return sorted(found, key=lambda s: atomic_numbers[s])

    @cached_property
    def digest(self) -> str:
        """Of its content: SHA-256 over structures, labels and splits."""
        parts: list[str | bytes] = [f"{symbol}={energy!r}" for symbol, energy in sorted(self.alone.items())]
        for split, own in self.splits:
            for one in own:
                arrays = (one.atoms.numbers, one.atoms.positions, one.atoms.cell.array, one.atoms.pbc, one.forces)
                parts += [split, repr(one.energy), *(np.ascontiguousarray(a).tobytes() for a in arrays)]
        return digest(*parts)
