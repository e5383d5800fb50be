"""What ASE must be told of a structure, from what a model gives: energies, forces, stress in Voigt's order; and what it was told."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np
import torch
from ase import Atoms

from mpcheck.adapters.execution import Tensors
from mpcheck.checks.physics.structure import Values
from mpcheck.checks.uses.asking import asked, flags_of

VOIGT = ((0, 0), (1, 1), (2, 2), (1, 2), (0, 2), (0, 1))
"""xx, yy, zz, yz, xz, xy: the order of ase.Atoms.get_stress."""
WANTED = {"compute_stress": True, "compute_edge_forces": True, "compute_atomic_stresses": True}


def voigt(stress: torch.Tensor) -> torch.Tensor:
    """[…, 6] of […, 3, 3]."""
    return torch.stack([stress[..., i, j] for i, j in VOIGT], dim=-1)


def expected(model: torch.nn.Module, graph: Tensors, periodic: bool, e0: torch.Tensor | None) -> Values:
    """What upstream's calculator documents for one structure, from the model itself.

    Args:
        graph: of one structure. periodic: whether it has a stress.
        e0: [atoms], energies of isolated atoms in the structure's head; None where the model has none.

    Returns:
        energy, free_energy [] and energies, node_energy [atoms] (the latter without E0) in eV, forces [atoms, 3] in eV/Å,
        stress [6] and stresses [atoms, 6] in eV/Å^3, virials [atoms, 3, 3] in eV; and of other models dipole, charges, polarizability.
    """
    out = {k: v.detach() for k, v in asked(model, graph, **flags_of(model, **WANTED)).items()}
    told: Values = {}
    if "energy" in out:
        told |= {"energy": out["energy"][0], "free_energy": out["energy"][0], "forces": out["forces"]}
        if "node_energy" in out and e0 is not None:
            told |= {"energies": out["node_energy"], "node_energy": out["node_energy"] - e0.to(out["node_energy"])}
        if periodic:
            told |= {"stress": voigt(out["stress"][0])}
            told |= {"stresses": voigt(out["atomic_stresses"]), "virials": out["atomic_virials"]} if "atomic_stresses" in out else {}
    told |= {n: out[n][0] for n in ("dipole", "polarizability") if n in out}
    return told | ({"charges": out["charges"]} if "charges" in out else {})


def given(results: Mapping[str, Any]) -> Values:
    """A calculator's results as tensors."""
    return {n: torch.as_tensor(np.asarray(v)) for n, v in results.items() if isinstance(v, (float, int, np.ndarray, np.generic))}


def by_getters(atoms: Atoms, names: Mapping[str, torch.Tensor]) -> Values:
    """The same as ASE's own functions tell it."""
    told: dict[str, Any] = {"energy": atoms.get_potential_energy(), "forces": atoms.get_forces()}
    told["free_energy"] = atoms.get_potential_energy(force_consistent=True)
    if "stress" in names:
        full = torch.as_tensor(atoms.get_stress(voigt=False))
        told |= {"stress": atoms.get_stress(), "full stress": voigt(full), "transposed stress": voigt(full.T)}
    if "energies" in names and "energies" in atoms.calc.implemented_properties:
        told["energies"] = atoms.get_potential_energies()
    return {n: torch.as_tensor(np.asarray(v)) for n, v in told.items()}
