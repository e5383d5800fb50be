"""What rounding does to some rows of a block's results on all of a structure: a mean square for each of them and irrep.

The rows are disturbed in a smaller call of the same block, where it computes each row for itself or adds rows up; whether it does is seen by
what the smaller call gives. Otherwise all of them are.
"""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import torch

from mpcheck._raised import Raised, attempt
from mpcheck.adapters.backends.e3nn import E3nnModel
from mpcheck.adapters.blocks import Block
from mpcheck.adapters.execution import Tensors
from mpcheck.formats import Component
from mpcheck.reference.build import draws_in, evaluate
from mpcheck.reference.deviation import deviations
from mpcheck.reference.noise import eta_of, seed_of
from mpcheck.reference.sample import Kept
from mpcheck.reference.steady import copied, unlike

DRAWS, DRAWS_OF_ALL = 9, 3
"""Of some rows, and where all must be disturbed for them."""

Groups = Sequence[tuple[str, slice]]


def row_means(squares: torch.Tensor, groups: Groups) -> torch.Tensor:
    """The mean of every row, of each of its groups apart.

    Args:
        squares: [rows, ...]. groups: named slices of the last axis; fewer than two are all of it.

    Returns:
        [rows, groups], at least one.
    """
    if len(groups) < 2:
        return squares.reshape(len(squares), -1).mean(1, keepdim=True)
    return torch.stack([squares[..., where].reshape(len(squares), -1).mean(1) for _, where in groups], 1)


@dataclass(frozen=True)
class Call:
    """One call of a block on all of a structure.

    Attributes:
        atoms, edges: of the structure.
        groups: by the name of each result that has rows, its parts that are judged apart.
    """

    block: Block
    skeleton: Any
    inputs: Tensors
    atoms: int
    edges: int
    groups: Mapping[str, Groups]

    def of(self, rows: torch.Tensor, count: int) -> Kept | None:
        """The part of the call that some rows of a result depend on, in the order of their numbers; None where that is not known.

        Args:
            rows: sorted. count: how many the result has.
        """
        if self.atoms == self.edges:
            return None
        lists = [n for n, t in self.inputs.items() if not t.is_floating_point() and t.dim() and t.shape[-1] == self.edges]
        if isinstance(self.skeleton, dict) and self.skeleton.get("dim_size") == count == self.atoms and len(lists) == 1:
            into = self.inputs[lists[0]].cpu()
            number = torch.full((self.atoms,), -1)
            number[rows] = torch.arange(len(rows))
            return Kept({self.atoms: rows, self.edges: torch.nonzero(number[into] >= 0).flatten()}, number, (lists[0],)) if into.dim() == 1 else None
        if count == self.edges:
            return Kept({self.edges: rows}, torch.arange(self.atoms), tuple(n for n in lists if self.inputs[n].dtype == torch.int64))
        counts = {len(t) for t in self.inputs.values() if t.dim() and len(t) in (self.atoms, self.edges)}
        return Kept({count: rows}) if counts == {count} and not lists else None


def row_noise(
    backend: E3nnModel, call: Call, values: Tensors, name: str, rows: torch.Tensor, components: Collection[Component], seed: int
) -> dict[Component, torch.Tensor]:
    """Mean square deviation for u = 1 of some rows of a result by component, [rows, groups], float64.

    Args:
        values: the call's float64 results. name: of the one. rows: sorted.
        components: that are drawn.
    """
    exact, groups = values[name], call.groups[name]
    there = rows.to(exact.device)
    kept = call.of(rows, len(exact))
    skeleton, inputs, value, draws = call.skeleton, call.inputs, exact, DRAWS_OF_ALL
    if kept is not None:
        smaller, part = kept.inputs(call.inputs), kept.skeleton(call.skeleton, call.atoms)
        found = attempt(lambda: evaluate(backend, call.block, part, copied(smaller, backend.device), {})[name])
        if not isinstance(found, Raised) and not unlike({"out": exact[there]}, {"out": found}):
            skeleton, inputs, value, draws, there = part, smaller, found, DRAWS, torch.arange(len(rows), device=exact.device)
    total: dict[Component, torch.Tensor] = {}
    for component in components:
        draw = draws_in(backend, call.block, skeleton, inputs, {}, component)
        seeds = [seed_of("rows", seed, call.block.name, component, number) for number in range(draws)]
        for _, deviation in deviations(draw, {name: value}, seeds, eta_of(component)):
            square = row_means(deviation[there].square_(), groups) / draws
            total[component] = total[component] + square if component in total else square
    return total
