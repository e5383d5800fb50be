"""Prints of tensors: a few numbers that stay where a sound rewriting moves last bits, and move where values do.

A print does not depend on the order of rows (atoms, edges: a neighbour list may have them in any), but on that of columns. It is
compared within a tolerance, never hashed: a digest of rounded values would change where one lies at the edge between two.
"""

from __future__ import annotations

import math
from collections.abc import Mapping

import torch

from mpcheck.reference.build import ENERGY, RANDOM
from mpcheck.reference.library import BlockReference

Print = list[float]
"""Of floating-point numbers: how many, root of their mean square, weighted means of the numbers and of their squares over that root.
Of others: how many, their sum, that of their squares."""
INPUT, COTANGENT, VALUE = "input:", "energy:", "value:"
MOVED = 1e-11
"""Of a tensor's root mean square. Measured on the built-in model: benign rewritings move prints by 2e-15 at most, parameters that went
through float32 by 4e-10 and more, coupling tables that did by 2e-11 and more."""
DIGITS = 13
_GOLDEN = 0.6180339887498949


def print_of(tensor: torch.Tensor) -> Print:
    """The print of a tensor; not finite where it is not."""
    numbers = tensor.detach().reshape(len(tensor) if tensor.dim() and tensor.numel() else 1, -1).to("cpu", torch.float64)
    count = float(numbers.numel())
    if not count:
        return [0.0]
    if not tensor.is_floating_point():
        return _rounded([count, float(numbers.sum()), float(numbers.square().sum())])
    root = math.sqrt(float(numbers.square().mean()))
    places = torch.arange(1, numbers.shape[1] + 1, dtype=torch.float64)
    weights = 0.5 + torch.frac(places * _GOLDEN)  # a weight of its own for each column
    first = float(numbers.sum(0) @ weights) / count
    second = float(numbers.square().sum(0) @ weights) / count / root if root else 0.0
    return _rounded([count, root, first, second])


def _rounded(numbers: list[float]) -> Print:
    return [float(f"{x:.{DIGITS}g}") for x in numbers]


def prints_of(reference: BlockReference) -> dict[str, Print]:
    """Prints of a block's arguments, of the energy's cotangents of its results, and of its float64 results.

    Gradients are those of the random cotangents, which do not depend on what comes after the block. What is not finite has no print.
    """
    prints = {f"{INPUT}{n}": print_of(t) for n, t in reference.inputs.items()}
    prints |= {f"{COTANGENT}{n}": print_of(t) for n, t in reference.cotangents.get(ENERGY, {}).items()}
    other = (f"grad.{ENERGY}.", f"weight.{ENERGY}.")
    prints |= {f"{VALUE}{n.replace(f'.{RANDOM}.', '.', 1)}": print_of(t) for n, t in reference.values.items() if not n.startswith(other)}
    return {name: prints[name] for name in prints if all(map(math.isfinite, prints[name]))}


def distance(one: Print, other: Print) -> float:
    """How far two prints of one tensor lie apart, in its units: infinite where it has another shape or kind."""
    if len(one) != len(other) or one[0] != other[0]:
        return math.inf
    return max((abs(a - b) for a, b in zip(one[1:], other[1:], strict=True)), default=0.0)


def size(one: Print, other: Print) -> float:
    """The larger root mean square of two prints; of whole numbers, 0: they move or they do not."""
    return max(one[1], other[1]) if len(one) == len(other) == 4 else 0.0


def moved(stored: Mapping[str, Print], now: Mapping[str, Print], kind: str) -> str:
    """The first tensor of a kind whose print moved, came or went; empty where none did."""
    names = [n for n in (*now, *stored) if n.startswith(kind)]
    for name in names:
        if name not in stored or name not in now:
            return name.removeprefix(kind)
        if distance(stored[name], now[name]) > MOVED * size(stored[name], now[name]):
            return name.removeprefix(kind)
    return ""
