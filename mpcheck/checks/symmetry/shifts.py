"""How far a changed model's node features and energies move from the original's over many perturbed structures."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import torch
from ase import Atoms

from mpcheck.adapters.execution import Tensors
from mpcheck.adapters.graph import make_graph
from mpcheck.adapters.load import LoadedModel
from mpcheck.reference.deviation import disturbed, squares
from mpcheck.reference.noise import seed_of
from mpcheck.reference.whole_noise import ROUNDOFF

AMPLITUDE = 0.03  # Å: a thermal vibration at room temperature, so that no two structures share their symmetry
BATCH_ATOMS = 300  # atoms evaluated at once: keeps the messages of a batch below some hundred MB
DRAWS = 3


@dataclass(frozen=True)
class Evaluated:
    """Node features ``[atoms, features]`` and energies per atom ``[graphs]`` in eV, of all structures."""

    features: torch.Tensor
    energies: torch.Tensor


@dataclass(frozen=True)
class FeatureChange:
    """Change of node features: relative L2 norm, Pearson correlation, largest; and of the energy in eV/atom, largest."""

    relative_l2: float
    correlation: float
    largest: float
    energy: float

    @property
    def metrics(self) -> dict[str, float | None]:
        """By name, None where a figure is not finite."""
        named = {
            "features_relative_l2": self.relative_l2, "features_correlation": self.correlation, "features_max": self.largest,
            "energy_eV_per_atom": self.energy,
        }  # fmt: skip
        return {k: v if math.isfinite(v) else None for k, v in named.items()}

    @property
    def text(self) -> str:
        """In words."""
        return (
            f"node features move by relative L2 {self.relative_l2:.2g}, correlation {self.correlation:.2g}, max {self.largest:.2g}; "
            f"energy by {self.energy:.2g} eV/atom"
        )


def perturbed(frame: Atoms, count: int, seed: int) -> list[Atoms]:
    """Copies of a structure with every atom displaced at random by :data:`AMPLITUDE`."""
    rng = np.random.default_rng([seed, count])
    copies = []
    for _ in range(count):
        moved = frame.copy()
        moved.positions = moved.positions + rng.normal(0.0, AMPLITUDE, moved.positions.shape)
        copies.append(moved)
    return copies


def batches(model: LoadedModel, frames: Sequence[Atoms], device: torch.device) -> list[Tensors]:
    """The structures as batches of at most :data:`BATCH_ATOMS` atoms, on a device."""
    size = max(1, BATCH_ATOMS // max(1, len(frames[0])))
    graphs = [make_graph(frames[i : i + size], model.elements, model.r_max, model.heads, model.inputs) for i in range(0, len(frames), size)]
    return [{k: t.to(device) for k, t in g.items()} for g in graphs]


def evaluate(model: torch.nn.Module, graphs: Sequence[Tensors]) -> Evaluated:
    """Features and energies of a model; no gradients."""
    features, energies = [], []
    with torch.no_grad():
        for graph in graphs:
            out = model({k: t.detach().clone() for k, t in graph.items()}, compute_force=False)
            features.append(out["node_feats"].detach())
            energies.append(out["energy"].detach() / torch.diff(graph["ptr"]))
    return Evaluated(torch.cat(features), torch.cat(energies))


def shift(changed: Evaluated, original: Evaluated) -> FeatureChange:
    """Compare; NaN anywhere gives NaN."""
    difference = changed.features - original.features
    pair = torch.stack([changed.features.flatten(), original.features.flatten()])
    return FeatureChange(
        float(difference.norm() / original.features.norm()),
        float(torch.corrcoef(pair)[0, 1]),
        float(difference.abs().max()) if bool(torch.isfinite(difference).all()) else math.nan,
        float((changed.energies - original.energies).abs().max()),
    )


def noise(model: torch.nn.Module, graphs: Sequence[Tensors], exact: Evaluated, seed: int) -> tuple[float, float]:
    """RMS noise of the features and of the energies per atom of a whole float64 evaluation.

    Every operation rounds, and every parameter, as a backend's that stores parameters in a parametrisation of its own.
    """
    seeds = [seed_of("mixed", seed, draw) for draw in range(DRAWS)]
    draw = disturbed(lambda: vars(evaluate(model, graphs)), stored=model)
    variances = squares(draw, vars(exact), seeds, lambda deviation: float(deviation.square().mean()))
    features, energies = (math.sqrt(sum(variances[name]) / DRAWS) * ROUNDOFF for name in ("features", "energies"))
    return features, energies
