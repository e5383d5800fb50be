"""A structure with what a model learns from it."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from ase import Atoms
from numpy.typing import NDArray


@dataclass(frozen=True)
class Labelled:
    """A structure with its energy in eV and forces [atoms, 3] in eV/Å."""

    atoms: Atoms
    energy: float
    forces: NDArray[np.float64]
