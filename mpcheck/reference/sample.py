"""Rows of a block's arguments, for blocks whose tensors are too large to be judged number by number.

What a reference costs goes by the numbers in a block's largest tensor: edges by channels by components. A noise scale and a root mean
square are known from some hundred thousand of them. A sample is a smaller call of the same block: of rows that are computed each for
itself, some rows; of sums into atoms, all that belongs to some atoms, so that sums are as long as they were. Whether the block is of either
kind is not assumed: the sample must give what the whole call gave for the same rows, and where it does not, the block is judged whole.

A fault in a fraction f of the rows, wherever they are, escapes a sample of n rows with probability ``(1 - f)**n``. One that goes by a row's
number rather than by what is in it is looked for at full size by the audit's check of sizes, and by the whole model's errors.
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
import torch

from mpcheck.adapters.blocks import Block, composite_modules, describe, leaf_modules
from mpcheck.adapters.upstream import SymmetricContraction, o3
from mpcheck.reference.cut import BINS, Graph, atoms_in_turn, edges_in_turn

MANY_NUMBERS = 2**20
"""In a block's largest tensor, beyond which a sample is taken: some 80 MB of references. The built-in structures stay below it in models of 16
channels."""
MOST_NUMBERS = 2**18
"""In the largest tensor of a sample. A root mean square over so many is known to 0.2 %."""
LEAST_ROWS = 32
LEAST_ATOMS = 12
"""Rows of a sample at least, whatever they need: of edges, and of atoms, which many numbers are made of on the way; of each element two."""
LEAST_SUMS = 4
"""Atoms into which a sample sums at least: two atoms of a perfect crystal round alike (a gradient at 2.15 of a scale that 1.73 is allowed of)."""

Tensors = Mapping[str, torch.Tensor]


@dataclass(frozen=True)
class Kept:
    """The rows of one call that are kept.

    Attributes:
        rows: by how many rows an axis has, which of them are kept and in which order: of atoms, edges, or others.
        number: new numbers of atoms, -1 of those that are gone; indices: names of the arguments that hold such numbers.
        whole: of atoms that are kept, how many come first and have all that is summed into them.
        total: whether what is kept is summed up: no result is then what it was.
    """

    rows: Mapping[int, torch.Tensor]
    number: torch.Tensor | None = None
    indices: tuple[str, ...] = ()
    whole: int | None = None
    total: bool = False

    def inputs(self, tensors: Tensors) -> dict[str, torch.Tensor]:
        """The kept rows of a call's arguments."""
        return {name: self._index(tensor) if name in self.indices else self.output(tensor) for name, tensor in tensors.items()}

    def _index(self, tensor: torch.Tensor) -> torch.Tensor:
        assert self.number is not None  # there are indices
        edges = self.rows[tensor.shape[-1]].to(tensor.device)
        return self.number.to(tensor.device)[tensor[..., edges]]

    def output(self, tensor: torch.Tensor) -> torch.Tensor:
        """The kept rows of a result or of its cotangent; all of one that has other rows."""
        rows = self.rows.get(len(tensor)) if tensor.dim() else None
        return tensor if rows is None else tensor.detach()[rows.to(tensor.device)]

    def skeleton(self, skeleton: Any, atoms: int) -> Any:
        """A call's plain arguments, with the number of atoms that are left where they name how many are summed into."""
        if self.number is not None and isinstance(skeleton, dict) and skeleton.get("dim_size") == atoms:
            return {**skeleton, "dim_size": len(self.rows[atoms])}
        return skeleton

    def complete(self, atoms: int, tensor: torch.Tensor) -> torch.Tensor:
        """Of a kept result the rows that must be what they were in the whole call."""
        if self.total:
            return tensor[:0] if tensor.dim() else tensor.new_zeros(0)
        partial = self.whole is not None and tensor.dim() and len(tensor) == len(self.rows[atoms])
        return tensor[: self.whole] if partial else tensor


class SystemSample:
    """Which rows are taken first on one system, and of a call as many as there is room for."""

    def __init__(self, graph: Graph, seed: int, many: int = MANY_NUMBERS, most: int = MOST_NUMBERS, cut: bool = False) -> None:
        """Args:
        graph: see :func:`mpcheck.adapters.graph.make_graph`. many, most: numbers in a block's largest tensor, beyond which a sample is taken,
            and in that sample.
        cut: whether it is a part of a structure, whose atoms without neighbours are its rim.
        """
        self.many, self.most, self.cut = many, most, cut
        self.atoms, self.edges, self.structures = len(graph["positions"]), int(graph["edge_index"].shape[1]), len(graph["ptr"]) - 1
        self.least_atoms = max(LEAST_ATOMS, 2 * int((graph["node_attrs"] != 0).any(0).sum()))
        self.by_atom, self.by_edge = atoms_in_turn(graph, seed), edges_in_turn(graph, seed)
        sender, receiver = graph["edge_index"].cpu().numpy()
        degree = np.bincount(receiver, minlength=self.atoms)
        whole = degree > 0
        fed = np.bincount(receiver, weights=whole[sender], minlength=self.atoms) / np.maximum(degree, 1)
        if cut:  # features of the rim are those of atoms alone
            self.by_atom = self.by_atom[whole[self.by_atom]]
            self.by_atom = self.by_atom[np.argsort(-np.floor(BINS * fed[self.by_atom]), kind="stable")]
            fed_edge = whole[sender[self.by_edge]]
            told, others = self.by_edge[fed_edge], self.by_edge[~fed_edge]
            self.by_edge = told if len(told) >= LEAST_ROWS else np.concatenate([told, others])

    def of(self, block: Block, skeleton: Any, tensors: Tensors, width: int) -> Kept | None:
        """The rows to keep of a call; None for all.

        Args:
            width: numbers that each row has inside of the block or in its results, as far as irreps tell.
        """
        if self.atoms == self.edges:
            return None  # nobody can tell which is which
        whole_numbers = {n: t for n, t in tensors.items() if not t.is_floating_point() and t.dim() and t.shape[-1] == self.edges}
        rowed = [t for t in tensors.values() if t.is_floating_point() and t.dim()]
        lists = tuple(n for n, t in whole_numbers.items() if t.shape == (2, self.edges))
        if not lists and isinstance(skeleton, dict) and "dim_size" in skeleton:
            lists = tuple(n for n, t in whole_numbers.items() if t.dim() == 1)
            if not lists or skeleton["dim_size"] != self.atoms:
                return self._total(tensors, skeleton["dim_size"])
        if not lists:
            return self._each_for_itself(rowed, width)
        widest = max([width, *(math.prod(t.shape[1:]) for t in rowed if len(t) == self.edges)])
        return self._of_atoms(lists, whole_numbers[lists[0]], widest)

    def _total(self, tensors: Tensors, into: Any) -> Kept | None:
        """Of a sum over the atoms of a part those that are not its rim: the energies of atoms alone are equal, which no structure's are."""
        over_atoms = into == self.structures and all(t.dim() and len(t) == self.atoms for t in tensors.values())
        rim = self.cut and over_atoms and len(self.by_atom) < self.atoms
        return Kept({self.atoms: torch.from_numpy(np.sort(self.by_atom))}, total=True) if rim and len(self.by_atom) else None

    def _each_for_itself(self, tensors: list[torch.Tensor], width: int) -> Kept | None:
        counts = {len(t) for t in tensors if len(t) in (self.atoms, self.edges)} or {len(t) for t in tensors if len(t) > LEAST_ROWS}
        if len(counts) != 1:
            return None
        count = counts.pop()
        widest = max([width, *(math.prod(t.shape[1:]) for t in tensors if len(t) == count)])
        least = self.least_atoms if count == self.atoms else LEAST_ROWS
        wanted = max(least, self.most // max(1, widest))
        rim = self.cut and count == self.atoms and 0 < len(self.by_atom) < count
        if not rim and (count * widest <= self.many or count <= wanted):
            return None
        order = {self.edges: self.by_edge, self.atoms: self.by_atom}.get(count)
        chosen = np.linspace(0, count - 1, wanted).astype(np.int64) if order is None else np.sort(order[:wanted])
        return Kept({count: torch.from_numpy(chosen)})

    def _of_atoms(self, names: tuple[str, ...], ends: torch.Tensor, width: int) -> Kept | None:
        """Atoms with all their edges, and where edges have two ends, the atoms at the others as well."""
        if self.edges * width <= self.many and not self.cut:
            return None
        numbers = ends.cpu().numpy()
        into = numbers if numbers.ndim == 1 else numbers[1]
        degree = np.bincount(into, minlength=self.atoms)  # of this call, not of the graph
        order = self.by_atom[degree[self.by_atom] > 0]
        fit = int(np.searchsorted(np.cumsum(degree[order]) * width, self.most, side="right"))
        first = np.sort(order[: max(LEAST_SUMS, fit)])
        chosen = np.zeros(self.atoms, dtype=bool)
        chosen[first] = True
        edges = np.flatnonzero(chosen[into])
        if len(edges) == self.edges:
            return None
        others = np.setdiff1d(numbers[0, edges], first) if numbers.ndim == 2 else np.zeros(0, dtype=np.int64)
        nodes = np.concatenate([first, others])
        number = np.full(self.atoms, -1)
        number[nodes] = np.arange(len(nodes))
        rows = {self.atoms: torch.from_numpy(nodes), self.edges: torch.from_numpy(edges)}
        return Kept(rows, torch.from_numpy(number), names, len(first))


def widths_of(model: torch.nn.Module) -> dict[str, int]:
    """Of every block that is a module, how many numbers a row of it has in its arguments or results, or in those of a block inside of it."""
    widths = {path: max(_width(describe(path, module, "leaf")), _of_weights(module), _of_contraction(module)) for path, module in leaf_modules(model)}
    inside = {
        path: max([_width(describe(path, module, "composite")), *(w for leaf, w in widths.items() if leaf.startswith(f"{path}."))])
        for path, module in composite_modules(model)
    }
    return widths | inside


def _width(block: Block) -> int:
    slots = (*block.inputs.values(), *block.outputs.values())
    return max((int(o3.Irreps(slot.irreps).dim) for slot in slots if slot.irreps is not None), default=1)


def _of_weights(module: torch.nn.Module) -> int:
    """The longest side of a matrix among a module's weights: how wide the layers of a perceptron are. Weights of e3nn's modules lie flat."""
    return max((max(p.shape) for p in module.parameters() if p.dim() == 2), default=1)


def _of_contraction(module: torch.nn.Module) -> int:
    """Numbers that a symmetric contraction of order n makes of an atom first: its channels by the (n - 1)th power of an irrep's components."""
    if not isinstance(module, SymmetricContraction):
        return 1
    irreps, order = o3.Irreps(module.irreps_in), max((int(getattr(c, "correlation", 1)) for c in module.contractions), default=1)
    single = sum(int(ir.dim) for _, ir in irreps)
    numbers: int = irreps.dim * single ** max(0, order - 2)
    return numbers
