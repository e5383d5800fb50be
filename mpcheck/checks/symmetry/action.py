"""How an element of the symmetry group acts on the tensors of a block, by their declared irreps and by what their rows count."""

from __future__ import annotations

from dataclasses import dataclass

import torch

from mpcheck.adapters.blocks import Block
from mpcheck.adapters.execution import Tensors
from mpcheck.adapters.facts.rotation import Turn, highest, odd, transformed
from mpcheck.checks.symmetry.group import Element, Shift, Shuffle, Wrap
from mpcheck.judge.context import Counts
from mpcheck.reference.noise import perturb


@dataclass(frozen=True)
class Structure:
    """What the action needs of a system.

    Attributes:
        counts: atoms, edges, graphs.
        elements: number of the model's elements, an extent that must not be taken for atoms.
        cells: [atoms, 3, 3], lattice vectors as rows, Å, of each atom's graph; rows of directions without period are zero.
    """

    counts: Counts
    elements: int
    cells: torch.Tensor

    @property
    def distinguishable(self) -> bool:
        """Whether an extent tells what an axis counts."""
        extents = [self.counts.atoms, self.counts.edges, self.counts.graphs, self.elements, 2]
        return not {self.counts.atoms, self.counts.edges} & set(extents[2:]) and self.counts.atoms != self.counts.edges

    @property
    def periodic(self) -> bool:
        """Whether there is a lattice vector to shift by."""
        return bool(self.cells.any())

    def offsets(self, wrap: Wrap) -> torch.Tensor:
        """Displacement of every atom ``[atoms, 3]``, Å: whole lattice vectors."""
        return torch.einsum("ac,acx->ax", wrap.counts(self.counts.atoms), self.cells)


class Action:
    """The group's action on one block's arguments and results, in float64 on the CPU or any device."""

    def __init__(self, block: Block, structure: Structure) -> None:
        self.block = block
        self.structure = structure

    @property
    def turns(self) -> bool:
        """Whether rotations do anything to the block's arguments."""
        return any(odd(slot) for slot in self.block.inputs.values())

    @property
    def highest(self) -> int:
        """Largest l among the arguments."""
        return max((highest(slot) for slot in self.block.inputs.values()), default=0)

    def applies(self, element: Element, inputs: Tensors) -> bool:
        """Whether an element acts on this block at all."""
        if isinstance(element, Turn):
            return self.turns
        if isinstance(element, Shuffle):
            wanted = {name for name, on in (("atom", element.atoms), ("edge", element.edges)) if on}
            rows = {self._rows(t) for t in inputs.values()} | ({"atom"} if any(self._indexes(n, t) for n, t in inputs.items()) else set())
            return self.structure.distinguishable and bool(wanted & rows)
        geometric = {"positions", "shifts", "edge_index"} <= set(inputs)
        return geometric and (isinstance(element, Shift) or self.structure.periodic)

    def _rows(self, tensor: torch.Tensor) -> str:
        axis = 1 if tensor.ndim == 2 and tensor.shape[0] == 2 and not tensor.is_floating_point() else 0
        return self.structure.counts.rows(tensor.shape[axis]) if tensor.ndim else "scalar"

    def _indexes(self, name: str, tensor: torch.Tensor) -> bool:
        """Whether a tensor holds numbers of atoms: ``edge_index``, or an integer for every edge."""
        if tensor.is_floating_point() or tensor.dtype == torch.bool or not tensor.ndim:
            return False
        return name == "edge_index" or self._rows(tensor) == "edge"

    def inputs(self, tensors: Tensors, element: Element) -> Tensors:
        """The arguments of the transformed structure."""
        if isinstance(element, Turn):
            return {n: transformed(t, self.block.input_slot(n), element) if t.is_floating_point() else t for n, t in tensors.items()}
        if isinstance(element, Shuffle):
            return {n: self._shuffled_input(n, t, element) for n, t in tensors.items()}
        moved = dict(tensors)
        positions = tensors["positions"]
        if isinstance(element, Shift):
            moved["positions"] = positions + torch.tensor(element.vector, dtype=positions.dtype, device=positions.device)
            return moved
        offsets = self.structure.offsets(element).to(positions.device)
        sender, receiver = tensors["edge_index"]
        moved["positions"] = positions + offsets
        moved["shifts"] = tensors["shifts"] - (offsets[receiver] - offsets[sender])
        return moved

    def _shuffled_input(self, name: str, tensor: torch.Tensor, element: Shuffle) -> torch.Tensor:
        if self._indexes(name, tensor):
            atoms = element.order(self.structure.counts.atoms, element.atoms)
            tensor = torch.empty_like(atoms).scatter_(0, atoms, torch.arange(len(atoms))).to(tensor.device)[tensor]
        return self._shuffled(tensor, element, 1 if name == "edge_index" else 0)

    def _shuffled(self, tensor: torch.Tensor, element: Shuffle, axis: int = 0) -> torch.Tensor:
        if tensor.ndim <= axis:
            return tensor
        rows = self.structure.counts.rows(tensor.shape[axis])
        if rows not in ("atom", "edge"):
            return tensor
        order = element.order(tensor.shape[axis], element.atoms if rows == "atom" else element.edges)
        return tensor.index_select(axis, order.to(tensor.device))

    def output(self, name: str, value: torch.Tensor, element: Element) -> torch.Tensor:
        """What a result must become: turned, in the new order, or unchanged."""
        if isinstance(element, Turn):
            return transformed(value, self.block.output_slot(name), element)
        return self._shuffled(value, element) if isinstance(element, Shuffle) else value


def perturb_geometry(positions: torch.Tensor, shifts: torch.Tensor, edge_index: torch.Tensor, seed: int) -> tuple[torch.Tensor, torch.Tensor]:
    """Positions and shifts with the roundings that a moved structure adds to edge vectors, at Monte Carlo size.

    Far from the origin the positions round by more than the distances between them; so do the shifts of distant images, and
    the difference of two positions before the shift is added. The difference's rounding is put into the shift.
    """
    apart = positions[edge_index[1]] - positions[edge_index[0]]
    return perturb(positions, seed), perturb(shifts, seed ^ 1) + (perturb(apart, seed ^ 2) - apart)
