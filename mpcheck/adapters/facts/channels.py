"""Along which axis a block's weights have their output channels: what has a scale of its own where weights are quantised channel by channel."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import torch

from mpcheck.adapters.backends.cueq_math import polynomials


@dataclass(frozen=True)
class Matrix:
    """A part of a parameter that is one array of weights.

    Attributes:
        start: of it in the flattened parameter. shape: of the array. axis: of its output channels.
    """

    start: int
    shape: tuple[int, ...]
    axis: int


def matrices(module: torch.nn.Module, name: str, parameter: torch.Tensor) -> list[Matrix] | None:
    """The weight arrays of a parameter; None where nobody knows them.

    e3nn's linear layers and tensor products keep the arrays of all paths in one flat parameter, each with its output channels last;
    torch's have theirs first; radial networks and contractions, whose weights are single arrays, last.

    Args:
        module: the block that the parameter is of. name: of the parameter in it.
    """
    owner = module.get_submodule(name.rpartition(".")[0])
    if polynomials(owner):
        return None  # packed by segments of a polynomial
    paths: Sequence[object] | None = getattr(owner, "instructions", None)
    if paths is not None and parameter.dim() == 1:
        biases = name.rpartition(".")[2] == "bias"  # a linear layer lists those as paths from nowhere, and keeps them in a parameter of their own
        own = [p for p in paths if getattr(p, "has_weight", True) and getattr(p, "path_shape", ()) and (getattr(p, "i_in", 0) == -1) == biases]
        shapes = [tuple(int(n) for n in p.path_shape) for p in own]  # type: ignore[attr-defined]
        found, start = [], 0
        for shape in shapes:
            found.append(Matrix(start, shape, len(shape) - 1))
            start += int(torch.Size(shape).numel())
        return found if start == parameter.numel() else None
    if parameter.dim() < 2:
        return None
    first = isinstance(owner, torch.nn.Linear)
    return [Matrix(0, tuple(parameter.shape), 0 if first else parameter.dim() - 1)]
