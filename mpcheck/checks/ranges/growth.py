"""What largest magnitudes do as a structure grows: measured on the structure made larger, or known by what a tensor is.

More atoms: copies of a crystal along an axis, or of a molecule out of each other's reach. More neighbours: every edge several times, which is a
structure so many times as dense without its atoms coming closer. A magnitude that grows by the same power each time goes on so; of any other no
more is said than what was seen.
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from itertools import pairwise

import numpy as np
from ase import Atoms

from mpcheck.adapters.execution import Tensors
from mpcheck.adapters.steps import ENERGY_SUM, step_kind
from mpcheck.checks.ranges.watching import MODEL
from mpcheck.records.range_figures import Grows, Reach

FACTORS = (2, 3)
"""How many times as many atoms, or neighbours."""
MOST_BYTES = 8e9  # of all that a forward pass of an enlarged structure computes, part of which its backward pass needs
ALIKE = 1e-3
"""How far powers of equal growth are from each other and from a whole number: that of a sum is exact but for rounding, and a polynomial, which has
none, comes no nearer.
"""
SEEN = 0.01
"""Power below which nothing has grown."""
EXTENSIVE = ("total_charge",)
"""Inputs of a structure that are sums over its atoms."""
EDGES = ("shifts", "unit_shifts")
ENERGIES = ("out.energy", "out.interaction_energy", "out")


@dataclass(frozen=True)
class Growth:
    """How a magnitude grows.

    Attributes:
        power: that it grows with; 0 where it does not, None where it is none.
        sizes: magnitudes by factor, 1 first, as measured; empty where nothing was. known: by what the tensor is.
    """

    power: float | None
    sizes: Mapping[int, float]
    known: bool = False

    def ends(self, largest: float, end: float) -> tuple[float | None, float]:
        """By how much what grows must grow until a magnitude is beyond an end, and by how much it may; None where that is not known, or never.

        What follows no power was seen to be beyond at the one, and not beyond at the other.
        """
        if not 0 < largest <= end:
            return (1.0 if largest > end else None), 0.0
        if self.power is not None:
            room = math.log(end / largest)
            found = math.exp(room / self.power) if self.power > SEEN and room < 700 * self.power else None
            return found, found or 0.0
        below = 1
        for factor, size in self.sizes.items():
            if size > end:
                return float(factor), float(below)
            below = factor
        return None, 0.0


def growth(sizes: Mapping[int, float]) -> Growth:
    """From magnitudes by factor, 1 first."""
    factors = list(sizes)
    if len(factors) < 3 or not all(0 < size < math.inf for size in sizes.values()):
        return Growth(None, dict(sizes))
    powers = [math.log(sizes[b] / sizes[a]) / math.log(b / a) for a, b in pairwise(factors)]
    if max(map(abs, powers)) <= SEEN:
        return Growth(0.0, dict(sizes))
    last = powers[-1]
    if last < SEEN or max(abs(p - last) for p in powers) > ALIKE * last:
        return Growth(None, dict(sizes))
    whole = float(round(last))
    return Growth(whole if abs(last - whole) <= ALIKE * last else last, dict(sizes))


def known(block: str, tensor: str) -> Growth | None:
    """Of a sum of energies over atoms: in proportion to them."""
    summed = tensor in ENERGIES and (block == MODEL or step_kind(block) == ENERGY_SUM)
    return Growth(1.0, {}, known=True) if summed else None


def reach(by: Grows, now: float, largest: float, end: float, found: Growth) -> Reach:
    """What is said of a tensor in a format.

    Args:
        now: atoms or neighbours of the structure as it is. largest: magnitude there. end: of the format.
    """
    beyond, within = found.ends(largest, end)
    at = (None, None) if beyond is None else (now * beyond, now * within)
    return Reach(by=by, now=now, power=found.power, known=found.known, end=at[0], within=at[1])


def more_atoms(frames: Sequence[Atoms], times: int, r_max: float) -> list[Atoms]:
    """Every structure so many times: along its first periodic axis, or, where it has none, apart by more than the cut-off."""
    made = []
    for frame in frames:
        if frame.pbc.any():
            axis = int(np.flatnonzero(frame.pbc)[0])
            large = frame.repeat(tuple(times if i == axis else 1 for i in range(3)))
        else:
            large, apart = frame.copy(), float(np.ptp(frame.positions[:, 0])) + 2.0 * r_max
            for copy in range(1, times):
                other = frame.copy()
                other.positions += [copy * apart, 0.0, 0.0]
                large += other
        for name in EXTENSIVE:
            if name in large.info:
                large.info[name] = large.info[name] * times
        made.append(large)
    return made


def more_neighbours(graph: Tensors, times: int) -> Tensors:
    """A graph with every edge so many times."""
    many = {name: graph[name].repeat(times, 1) for name in EDGES if name in graph}
    return {**graph, "edge_index": graph["edge_index"].repeat(1, times), **many}


def allowed(made: int, factors: Sequence[int]) -> list[int]:
    """Factors for which the enlarged structure is not too large; none where growth could not be told by them.

    Args:
        made: bytes that a forward pass of the structure computes.
    """
    fitting = [f for f in factors if made * f <= MOST_BYTES]
    return fitting if len(fitting) > 1 else []


def atoms_of(atoms: Sequence[int], shape: Sequence[int], row: int) -> float:
    """How many atoms a tensor's largest number is about: those of its graph, where its rows are graphs, else all."""
    own = len(atoms) > 1 and shape and shape[0] == len(atoms) != sum(atoms)
    return float(atoms[row] if own else sum(atoms))
