"""Errors of one call of a whole model, in the units that users think in."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import asdict, dataclass
from typing import Any

import torch

from mpcheck.policy.evaluation import Evaluation

MEV = 1e3
VANISHING = 1e-6
"""RMS force in eV/Å below which there is no force to be relative to: float64 gives 1e-14 where symmetry makes it zero, and no relaxation that
people run goes below this."""


@dataclass(frozen=True)
class WholeErrors:
    """Errors against the float64 model on the same structures; None where the quantity is not there, NaN where it is not finite.

    Attributes:
        energy, interaction: RMS over structures of the total energy's error and of that without energies of isolated atoms, meV/atom.
        force: RMS over all components, meV/Å. force_relative: over the RMS force; None where forces vanish.
        total: mean float64 energy of a structure, eV; offset: mean error of it with its sign, eV. force_size: RMS float64 force, eV/Å.
    """

    energy: float
    interaction: float | None
    force: float
    force_relative: float | None
    total: float = 0.0
    offset: float = 0.0
    force_size: float = 0.0

    def fields(self) -> dict[str, float | None]:
        """As data."""
        return asdict(self)


def whole_errors(found: Mapping[str, Any], exact: Evaluation) -> WholeErrors:
    """Errors of upstream's outputs.

    Args:
        found: ``energy``, ``forces``, and ``interaction_energy`` where the model tells.
    """
    atoms = exact.atoms
    interaction = found.get("interaction_energy")
    known = interaction is not None and not bool(exact.interaction.isnan().any())
    force = _rms(_wide(found["forces"]) - exact.forces)
    size = _rms(exact.forces)
    off = _wide(found["energy"]) - exact.energy
    return WholeErrors(
        energy=MEV * _rms(off / atoms),
        interaction=MEV * _rms((_wide(interaction) - exact.interaction) / atoms) if known else None,
        force=MEV * force,
        force_relative=force / size if size > VANISHING else None,
        total=float(exact.energy.mean()),
        offset=float(off.mean()),
        force_size=size,
    )


def _rms(values: torch.Tensor) -> float:
    return math.sqrt(float(values.square().mean())) if values.numel() else 0.0


def _wide(t: Any) -> torch.Tensor:
    wide: torch.Tensor = t.detach().to("cpu", torch.float64)
    return wide
