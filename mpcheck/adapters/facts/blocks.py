"""What a published formula needs to know of one of upstream's blocks: the parameters that the block documents, and no more.

Nothing that upstream derives from them is taken over as it is. What it derives and stores (frequencies of a basis, a screening
constant, an activation's normalisation) comes as a :class:`Constant`, to be compared with its definition.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray

Numbers = NDArray[np.float64]


@dataclass(frozen=True)
class Constant:
    """A number that upstream stores and that a definition gives.

    Attributes:
        defined: its value by definition; follows: the stored numbers that it follows from, whose rounding it shares.
        activation: instead, the name of the function whose normalisation it is.
    """

    stored: Numbers
    defined: Numbers | None = None
    follows: tuple[Numbers, ...] = ()
    activation: str = ""


@dataclass(frozen=True)
class BlockFacts:
    """A block, as its formula sees it.

    Attributes:
        formula: which one.
        parameters: trainable, by the block's own names. numbers: fixed ones. options: the rest.
        rows: axis that counts independent rows, by argument; arguments not listed are whole.
        domain: how to draw further arguments, by name: ``length``, ``vector`` (within the cut-off) or ``normal`` (of the same size).
        constants: by name, to be compared with their definition.
    """

    formula: str
    parameters: Mapping[str, Numbers] = field(default_factory=dict)
    numbers: Mapping[str, Numbers] = field(default_factory=dict)
    options: Mapping[str, Any] = field(default_factory=dict)
    rows: Mapping[str, int] = field(default_factory=dict)
    domain: Mapping[str, str] = field(default_factory=dict)
    constants: Mapping[str, Constant] = field(default_factory=dict)


def numbers(tensor: Any) -> Numbers:
    """A stored tensor or Python number in float64."""
    return np.asarray(tensor.detach().cpu().numpy() if isinstance(tensor, torch.Tensor) else tensor, dtype=np.float64)


def parameters_of(module: torch.nn.Module) -> dict[str, Numbers]:
    """Trainable parameters by their own names."""
    return {n: numbers(p) for n, p in module.named_parameters()}


def is_fixed(module: torch.nn.Module, name: str) -> bool:
    """Whether a stored number is not trained."""
    return not isinstance(getattr(module, name), torch.nn.Parameter)
