"""What a model says of itself: elements, cut-off, heads. Structures become tensors by it, so that an error here is one of every number."""

from __future__ import annotations

from typing import Any

import torch
from ase.data import chemical_symbols

from mpcheck._errors import InputError
from mpcheck._text import listed


def check_declared(model: torch.nn.Module, where: str) -> None:
    """Refuse what no model can be: an element twice or none, a cut-off that is no length, heads or elements that have no energies.

    Raises:
        InputError: names the attribute, and what the model's own tensors say.
    """
    numbers = [int(z) for z in getattr(model, "atomic_numbers", ())]
    strange = [z for z in numbers if not 0 < z < len(chemical_symbols)]
    if strange:
        raise InputError(f"{where}: atomic_numbers holds {strange[0]}, which no element has; give the numbers that it was trained with")
    if twice := sorted({z for z in numbers if numbers.count(z) > 1}):
        raise InputError(f"{where}: atomic_numbers holds {twice[0]} ({chemical_symbols[twice[0]]}) twice; give the numbers that it was trained with")
    r_max: Any = getattr(model, "r_max", 1.0)
    if not float(r_max) > 0:
        raise InputError(f"{where}: r_max is {float(r_max):g} Å, no length; give the cut-off that it was trained with")
    heads = [str(h) for h in getattr(model, "heads", None) or ()]
    if double := sorted({h for h in heads if heads.count(h) > 1}):
        raise InputError(f"{where}: two heads are called {double[0][:40]!r}, so that the second is never reached; give each a name of its own")
    energies = getattr(getattr(model, "atomic_energies_fn", None), "atomic_energies", None)
    if not isinstance(energies, torch.Tensor) or energies.dim() not in (1, 2):
        return
    rows, columns = torch.atleast_2d(energies).shape
    if numbers and columns != len(numbers):
        raise InputError(
            f"{where}: atomic_numbers holds {len(numbers)} elements, and atomic_energies_fn has energies of {columns}; give those of its own"
        )
    if len(heads) > 1 and rows != len(heads):
        raise InputError(
            f"{where}: heads are {listed(heads, 8)}, and atomic_energies_fn has energies of {rows}; give the heads that it was trained with"
        )
