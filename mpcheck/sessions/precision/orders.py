"""In which order the rows of a block's arguments came: what prints leave out, and random cotangents do not.

A neighbour list may have its edges in any order, and a print does not mind. A random cotangent belongs to a row by its number, so that
gradients along it are others as soon as rows change places; and arguments of which one changed its order, and another did not, are other
arguments, though each has the same print.
"""

from __future__ import annotations

import math
from collections.abc import Mapping

import torch

from mpcheck.reference.library import BlockReference
from mpcheck.reference.prints import DIGITS, MOVED, Print, distance, size

ORDER = "order:"
_SILVER = 0.41421356237309515
_GOLDEN = 0.6180339887498949


def orders_of(reference: BlockReference) -> dict[str, Print]:
    """Prints of a block's arguments that mind the order of rows, ``order:NAME``; stored beside those that do not."""
    prints = {f"{ORDER}{n}": _order_of(t) for n, t in reference.inputs.items()}
    return {name: prints[name] for name in prints if all(map(math.isfinite, prints[name]))}


def _order_of(tensor: torch.Tensor) -> Print:
    """How many numbers, root of their mean square, and their mean with weights of their own for each row and column."""
    numbers = tensor.detach().reshape(len(tensor) if tensor.dim() and tensor.numel() else 1, -1).to("cpu", torch.float64)
    if not numbers.numel():
        return [0.0]
    rows, columns = (torch.arange(1, n + 1, dtype=torch.float64) for n in numbers.shape)
    weights = (0.5 + torch.frac(rows * _SILVER)).unsqueeze(1) * (0.5 + torch.frac(columns * _GOLDEN))
    root = math.sqrt(float(numbers.square().mean()))
    found = [float(numbers.numel()), root, float((weights * numbers).mean()), 0.0]
    return [float(f"{x:.{DIGITS}g}") for x in found]


def reordered(stored: Mapping[str, Print], now: Mapping[str, Print]) -> str:
    """The first argument whose rows changed places; empty where none did, or the baseline is older than these prints."""
    for name in (n for n in now if n.startswith(ORDER) and n in stored):
        if distance(stored[name], now[name]) > MOVED * size(stored[name], now[name]):
            return name.removeprefix(ORDER)
    return ""
