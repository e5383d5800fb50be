"""Whether a whole model computes an atom wrongly that it computes rightly in another order: faults that go by the number of a row.

Blocks of large structures are judged on some of their rows. A kernel that miscounts tiles, or numbers rows in a narrow type, goes wrong in the
others, and does to forces what no rounding does to them: it hits other atoms when atoms and edges come in another order. An atom's errors in
several orders are all of the size of its own rounding, which is close contacts' or a lonely atom's, so that each order is judged by the others.
Atoms are moved off their places for that: what symmetry makes vanish is left of roundings that cancel in one order and not in another.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass

import torch

from mpcheck.checks.physics.structure import rms
from mpcheck.formats import FLOAT64, Format
from mpcheck.policy.evaluation import Evaluation
from mpcheck.reference.cut import Graph, reordered
from mpcheck.reference.noise import seed_of

ORDERS = 2
"""Besides the given one."""
RESOLVED = 8.0
"""Unit roundoffs of the forces below which no error is looked at: few roundings may cancel in one order, and not in another."""
RESOLVED_64 = 64.0
"""The same of float64, of which the reference is itself a computation in one order: an error of that order alone is nought."""
RATTLED = 0.05
"""Å, standard deviation of the atoms' moves. Neighbours stay as they are listed: a cutoff is smooth."""
MOST = 8.0
"""Of an atom's error in one order beside that in the others. Sound: 2.6 at most in 1,726 evaluations of two models on 55 structures, on two backends
in four formats, in two places (``tools/order_errors.py``)."""


@dataclass(frozen=True)
class Outlier:
    """The atom whose error differs most between orders.

    Attributes:
        ratio: of its error in one order to that in the others. quantity: ``force`` or ``energy``. atom: its number in the given order.
        order: 0 for the given one. error: in eV/Å or eV. usual: the same in the others.
    """

    ratio: float = 0.0
    quantity: str = ""
    atom: int = -1
    order: int = 0
    error: float = 0.0
    usual: float = 0.0

    @property
    def text(self) -> str:
        """What is wrong."""
        where = "" if self.order == 0 else " where atoms and edges come in another order"
        unit = "eV/Å" if self.quantity == "force" else "eV"
        return f"{self.quantity} of atom {self.atom}{where} is off by {self.error:.3g} {unit}, {self.ratio:.3g} times what it errs by in other orders"


def outlier(errors: Sequence[torch.Tensor], quantity: str, least: float) -> Outlier:
    """The atom that differs most between orders.

    Args:
        errors: of each order, [atoms, components] or [atoms], in the same units; the given order first, the atoms of all in
            that order. least: an error that the format's own resolution makes.
    """
    squares = torch.stack([e.square().flatten(1).sum(1) if e.dim() > 1 else e.square() for e in errors])
    if not squares.numel():
        return Outlier()
    usual = squares.mean(0).median()
    worst = Outlier()
    for order, own in enumerate(squares):
        others = torch.cat([squares[:order], squares[order + 1 :]]).mean(0)
        scale = torch.maximum((others + usual) / 2, own.new_tensor(least * least))
        ratios = (own / scale).nan_to_num(nan=0.0, posinf=math.inf)
        atom = int(ratios.argmax())
        if (ratio := math.sqrt(float(ratios[atom]))) > worst.ratio:
            worst = Outlier(ratio, quantity, atom, order, math.sqrt(float(own[atom])), math.sqrt(float(scale[atom])))
    return worst


class Orders:
    """A structure whose atoms are moved off their places, so that no symmetry makes forces vanish, in several orders.

    Attributes:
        graphs: the given order first. places: of each of the others, where an atom of the given order is, [atoms].
    """

    def __init__(self, graph: Graph, seed: int) -> None:
        generator = torch.Generator().manual_seed(seed_of("rattled", seed))
        positions = graph["positions"]
        moves = RATTLED * torch.randn(positions.shape, dtype=positions.dtype, generator=generator)
        moved = {**graph, "positions": positions + moves.to(positions.device)}
        others = [reordered(moved, seed + number) for number in range(ORDERS)]
        self.graphs = [moved, *(other for other, _ in others)]
        self.places = [place for _, place in others]

    def worst(self, exact: Evaluation, found: Sequence[Evaluation], fmt: Format) -> Outlier:
        """The atom whose forces or energy differ most between orders.

        Args:
            exact: float64, of the first of the graphs. found: what the format gave, of each of them.
        """
        first, others = found[0], list(zip(found[1:], self.places, strict=True))
        forces = [first.forces - exact.forces, *(one.forces[place] - exact.forces for one, place in others)]
        least = (RESOLVED_64 if fmt is FLOAT64 else RESOLVED) * fmt.roundoff["stored"]
        worst = outlier(forces, "force", least * rms(exact.forces))
        if exact.nodes is not None and first.nodes is not None:
            nodes = [first.nodes - exact.nodes, *(one.nodes[place] - exact.nodes for one, place in others if one.nodes is not None)]
            worst = max(worst, outlier(nodes, "energy", least * rms(exact.nodes)), key=lambda one: one.ratio)
        return worst
