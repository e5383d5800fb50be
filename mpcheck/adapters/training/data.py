"""Labelled structures as upstream's trainer takes them, and what it fits to them before it begins."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
import torch
from ase.data import atomic_numbers, chemical_symbols

from mpcheck.adapters.upstream import default_dtype, mace, quiet
from mpcheck.systems.labelled import Labelled

ENERGY, FORCES = "mpcheck_energy", "mpcheck_forces"


def configurations(frames: Sequence[Labelled], head: str = "Default") -> list[Any]:
    """Upstream's form of labelled structures."""
    keys = mace.data.KeySpecification(info_keys={"energy": ENERGY}, arrays_keys={"forces": FORCES})
    made = []
    for frame in frames:
        atoms = frame.atoms.copy()
        atoms.info, atoms.calc = {ENERGY: frame.energy}, None
        atoms.arrays = {"numbers": atoms.arrays["numbers"], "positions": atoms.arrays["positions"], FORCES: frame.forces}
        made.append(mace.data.config_from_atoms(atoms, key_specification=keys, head_name=head))
    return made


def graphs(frames: Sequence[Labelled], elements: Sequence[str], r_max: float, dtype: torch.dtype, heads: Sequence[str] = ("Default",)) -> list[Any]:
    """Upstream's graphs of labelled structures, in a type; neighbours within ``r_max`` Å."""
    table = mace.tools.AtomicNumberTable([atomic_numbers[s] for s in elements])
    with default_dtype(dtype), quiet():
        return [mace.data.AtomicData.from_config(one, z_table=table, cutoff=r_max, heads=list(heads)) for one in configurations(frames, heads[0])]


def loader(data: Sequence[Any], size: int, seed: int | None = None) -> Any:
    """Upstream's loader of batches of so many graphs; shuffled by a generator of its own where a seed is given, else in their order."""
    from mace.tools.torch_geometric.dataloader import DataLoader

    generator = None if seed is None else torch.Generator().manual_seed(seed)
    return DataLoader(dataset=list(data), batch_size=size, shuffle=seed is not None, drop_last=False, generator=generator)


def average_energies(frames: Sequence[Labelled], elements: Sequence[str]) -> dict[str, float]:
    """Energies of atoms by least squares over structures, eV, as upstream's ``--E0s average`` takes them."""
    table = mace.tools.AtomicNumberTable([atomic_numbers[s] for s in elements])
    found = mace.data.compute_average_E0s(configurations(frames), table)
    return {chemical_symbols[z]: float(energy) for z, energy in found.items()}


def fitted(frames: Sequence[Labelled], alone: Mapping[str, float], r_max: float) -> dict[str, float]:
    """Upstream's statistics of a training set, by its constructor's names: mean neighbours, and of interaction energies per atom the mean
    (eV) with the RMS force (eV/Å) as their scale.
    """
    elements = list(alone)
    with default_dtype(torch.float64), quiet():
        batches = loader(graphs(frames, elements, r_max, torch.float64), 16)
        neighbours = mace.modules.compute_avg_num_neighbors(batches)
        shift, scale = mace.modules.compute_mean_rms_energy_forces(batches, np.array([alone[s] for s in elements]))
    return {
        "avg_num_neighbors": round(float(neighbours), 6), "atomic_inter_scale": round(float(np.ravel(scale)[0]), 6),
        "atomic_inter_shift": round(float(np.ravel(shift)[0]), 6),
    }  # fmt: skip
