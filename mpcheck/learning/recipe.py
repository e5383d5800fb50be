"""The small model that is trained where the user names none: its size is fixed, its statistics are those of the data."""

from __future__ import annotations

from typing import Any, Final

from mpcheck.adapters.architecture import Architecture, build_model
from mpcheck.adapters.load import LoadedModel
from mpcheck.adapters.training.data import average_energies, fitted
from mpcheck.learning.labels import Set

NAME: Final = "recipe:small"
SIZE: Final[dict[str, Any]] = {
    "r_max": 4.0, "num_bessel": 6, "num_polynomial_cutoff": 5, "max_ell": 2, "hidden_irreps": "8x0e + 8x1o", "MLP_irreps": "8x0e",
    "correlation": 2, "num_interactions": 2, "radial_MLP": [16, 16],
}  # fmt: skip
"""Of the architecture: a step on five structures takes 25 ms on a core."""


def architecture(data: Set) -> Architecture:
    """With E0 of isolated atoms where the data have them, else by least squares."""
    alone = {s: data.alone[s] for s in data.elements} if set(data.elements) <= set(data.alone) else average_energies(data.train, data.elements)
    fields: dict[str, Any] = {**SIZE, **fitted(data.train, alone, SIZE["r_max"])}
    return Architecture(schema_version=1, name="small", elements=data.elements, atomic_energies=alone, weights_seed=0, **fields)


def small(arch: Architecture, seed: int) -> LoadedModel:
    """The model with the weights of a seed."""
    return LoadedModel(NAME, build_model(arch.model_copy(update={"weights_seed": seed})), {"recipe": "small", "seed": str(seed)})
