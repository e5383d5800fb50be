"""Labels for any model and structure: what the float64 model says itself, disturbed by the size of a usual error."""

from __future__ import annotations

from collections.abc import Mapping

import torch

from mpcheck.adapters.learning.batch import WEIGHTS
from mpcheck.adapters.upstream import default_dtype, quiet
from mpcheck.reference.noise import seed_of

ENERGY, FORCE, STRESS = 0.020, 0.100, 0.002
"""Standard deviations of the disturbance: eV an atom, eV/Å, eV/Å^3: of a model in the middle of its training. The gradient is then generic, neither
zero, as at the model's own values, nor that of forces alone."""
POWERS = {"weight": (-2, 0), "energy_weight": (2, 4), "forces_weight": (3, 5), "stress_weight": (1, 3), "virials_weight": (1, 3)}
"""Powers of two, the last excluded, of which weights are drawn: none is one, so that a weight that is left out shows, and with them the gradient's
norm is mostly beyond what upstream clips it to, so that clipping shows."""
LABELS = ("energy", "forces", "stress")


def own_values(model: torch.nn.Module, graph: Mapping[str, torch.Tensor], strained: bool) -> dict[str, torch.Tensor]:
    """Energy [graphs] in eV, forces [atoms, 3] in eV/Å, stress [graphs, 3, 3] in eV/Å^3 of a float64 model; those that it has."""
    with quiet(), default_dtype(torch.float64):
        out = model({k: v.clone() for k, v in graph.items()}, training=False, compute_force=True, compute_stress=strained)
    return {n: out[n].detach() for n in LABELS if isinstance(out.get(n), torch.Tensor)}


def disturbed_labels(values: Mapping[str, torch.Tensor], graph: Mapping[str, torch.Tensor], *key: object) -> dict[str, torch.Tensor]:
    """Labels for a step, and the weights of structures and of their labels: powers of two, which every format holds, so that mixed-up ones show.

    Args:
        values: see :func:`own_values`. key: of the seed.
    """
    generator = torch.Generator().manual_seed(seed_of("labels", *key))
    atoms = (graph["ptr"][1:] - graph["ptr"][:-1]).to(torch.float64).cpu()
    sizes = {"energy": ENERGY * atoms, "forces": torch.tensor(FORCE), "stress": torch.tensor(STRESS)}
    made = {}
    for name, value in values.items():
        drawn = torch.randn(value.shape, dtype=torch.float64, generator=generator)
        if name == "stress":
            drawn = (drawn + drawn.transpose(-1, -2)) / 2
        made[name] = value + (sizes[name] * drawn).to(value)
    for name in WEIGHTS:
        powers = torch.randint(*POWERS[name], atoms.shape, generator=generator)
        made[name] = torch.ldexp(torch.ones_like(atoms), powers).to(graph["positions"].device)
    return made
