"""Energies, forces and stress of structures by a model, each structure for itself."""

from __future__ import annotations

import inspect
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import torch

from mpcheck._raised import Raised, attempt
from mpcheck.adapters.upstream import default_dtype, quiet

Tensors = Mapping[str, torch.Tensor]


@dataclass(frozen=True)
class Evaluation:
    """What a model gives for a batch of structures, in float64 on the CPU whatever it was computed in.

    Attributes:
        energy: [structures] eV. interaction: without energies of isolated atoms, [structures] eV; NaN where the model does not tell.
        forces: [atoms, 3] eV/Å. stress: [structures, 3, 3] eV/Å³, NaN where a structure is not periodic in three directions or the model tells
            none; batch: structure of each atom, [atoms].
        nodes: energy of each atom [atoms] eV; None where the model does not tell.
    """

    energy: torch.Tensor
    interaction: torch.Tensor
    forces: torch.Tensor
    stress: torch.Tensor
    batch: torch.Tensor
    nodes: torch.Tensor | None = None

    @property
    def atoms(self) -> torch.Tensor:
        """Atoms of each structure, [structures]."""
        return torch.bincount(self.batch, minlength=len(self.energy))

    def values(self) -> dict[str, torch.Tensor]:
        """By name."""
        return {"energy": self.energy, "interaction": self.interaction, "forces": self.forces, "stress": self.stress}


def evaluate(model: torch.nn.Module, graph: Tensors, device: torch.device | str = "cpu", periodic: torch.Tensor | None = None) -> Evaluation:
    """One energy-and-force call.

    Args:
        model: upstream's, or one with a policy, on the device. graph: float64 on the CPU, see :func:`mpcheck.adapters.graph.make_graph`.
        periodic: which structures are so in three directions, [structures]; without it, those whose cell has a volume, though upstream's
            neighbour list gives every structure one.

    Raises:
        BaseException: whatever the model raises.
    """
    spanned = _volumes(graph["cell"]) > 0
    periodic = spanned if periodic is None else spanned & periodic.cpu()
    known = inspect.signature(getattr(model, "model", model).forward).parameters  # of upstream's, also where a policy lies around it
    flags = {"compute_force": True} | ({"compute_stress": True} if "compute_stress" in known else {})
    dtype = next((p.dtype for p in model.parameters()), torch.float64)

    def call(asked: Mapping[str, bool]) -> dict[str, Any]:
        given = {n: t.detach().clone().to(device, dtype if t.is_floating_point() else None) for n, t in graph.items()}
        with quiet(), default_dtype(dtype):  # as upstream's calculator has it: the pair repulsion is computed in torch's default type
            made: dict[str, Any] = model(given, **asked)
        return made

    out = attempt(lambda: call(flags))
    if isinstance(out, Raised):
        if not (out.missing and "compute_stress" in flags and "compute_virials" in known):
            raise out.error
        # upstream takes a volume by a determinant, which torch lacks in 16 bits: the model gives energies and forces all the same
        out = call({"compute_force": True, "compute_virials": True})
        out["stress"] = stress_of(_wide(out["virials"]), graph["cell"]) if out.get("virials") is not None else None
    count = int(graph["ptr"].numel()) - 1
    energy, missing = _wide(out["energy"]), torch.full((count,), torch.nan, dtype=torch.float64)
    stress = _wide(out["stress"]).reshape(count, 3, 3) if out.get("stress") is not None else missing[:, None, None].expand(count, 3, 3).clone()
    stress[~periodic] = torch.nan
    interaction = _wide(out["interaction_energy"]) if out.get("interaction_energy") is not None else missing
    forces = _wide(out["forces"])
    nodes = _wide(out["node_energy"]) if out.get("node_energy") is not None else None
    return Evaluation(energy, interaction, forces, stress, graph["batch"].cpu(), nodes)


def _wide(t: torch.Tensor) -> torch.Tensor:
    return t.detach().to("cpu", torch.float64)


def _volumes(cells: torch.Tensor) -> torch.Tensor:
    """Of each structure's cell, Å³; zero where it is not periodic in all directions that span a volume."""
    volumes: torch.Tensor = torch.linalg.det(cells.reshape(-1, 3, 3).to(torch.float64)).abs()
    return volumes


def stress_of(virials: torch.Tensor, cells: torch.Tensor) -> torch.Tensor:
    """Stress [structures, 3, 3] in eV/Å³ from virials in eV; zero where a cell has no volume.

    Upstream takes the volume by a determinant, which torch has not in 16 bits.
    """
    volumes = _volumes(cells)[:, None, None]
    stress = -virials.to(torch.float64) / volumes
    return torch.where(volumes > 0, stress, torch.zeros_like(stress))
