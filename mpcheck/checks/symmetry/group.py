"""Elements of the symmetry group of a structure besides :class:`mpcheck.adapters.facts.rotation.Turn`."""

from __future__ import annotations

from dataclasses import dataclass

import torch

from mpcheck.adapters.facts.rotation import Turn


@dataclass(frozen=True)
class Shuffle:
    """A permutation of atoms, of edges or of both: ``swap`` of two, taken modulo the number, or a seeded one of all."""

    atoms: bool
    edges: bool
    swap: tuple[int, int] | None = None
    seed: int = 0

    kind = "permutation"

    @property
    def text(self) -> str:
        """In words."""
        what = " and ".join(name for name, on in (("atoms", self.atoms), ("edges", self.edges)) if on)
        return f"permutation of {what} (" + (f"swap of {self.swap[0]} and {self.swap[1]})" if self.swap else f"seed {self.seed})")

    def order(self, count: int, on: bool) -> torch.Tensor:
        """``[count]``: the new order's old indices; the identity where these are not permuted."""
        order = torch.arange(count)
        if not on or count < 2:
            return order
        if self.swap is None:
            return torch.randperm(count, generator=torch.Generator().manual_seed(self.seed))
        i, j = self.swap[0] % count, self.swap[1] % count
        order[[i, j]] = order[[j, i]]
        return order


@dataclass(frozen=True)
class Shift:
    """A translation of every atom by ``vector``, Å."""

    vector: tuple[float, float, float]

    kind = "translation"

    @property
    def text(self) -> str:
        """In words."""
        return f"translation by [{', '.join(f'{v:g}' for v in self.vector)}] Å"


@dataclass(frozen=True)
class Wrap:
    """Other periodic images: one ``atom`` (modulo the number) moved by ``cells``, or every atom by a seeded choice of -2 … 2."""

    atom: int | None = None
    cells: tuple[int, int, int] = (0, 0, 0)
    seed: int = 0

    kind = "lattice"

    @property
    def text(self) -> str:
        """In words."""
        return f"lattice shifts of all atoms (seed {self.seed})" if self.atom is None else f"lattice shift of atom {self.atom} by {list(self.cells)}"

    def counts(self, atoms: int) -> torch.Tensor:
        """``[atoms, 3]``, float64: whole cells along each lattice vector."""
        if self.atom is None:
            return torch.randint(-2, 3, (atoms, 3), generator=torch.Generator().manual_seed(self.seed)).double()
        counts = torch.zeros(atoms, 3, dtype=torch.float64)
        counts[self.atom % atoms] = torch.tensor(self.cells, dtype=torch.float64)
        return counts


Element = Turn | Shuffle | Shift | Wrap
