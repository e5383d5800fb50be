"""Models that upstream's own trainer makes: a few epochs on a few small structures, labelled by a formula; eV, Å."""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import ruamel.yaml
from ase import Atoms
from ase.build import molecule
from ase.calculators.lj import LennardJones
from ase.io import write

SMALL = {
    "r_max": 3.0, "num_radial_basis": 4, "max_ell": 2, "num_channels": 4, "max_L": 1, "correlation": 2, "num_interactions": 2,
    "MLP_irreps": "4x0e", "radial_MLP": "[8, 8]", "max_num_epochs": 3, "batch_size": 4, "valid_batch_size": 4, "device": "cpu",
    "seed": 1, "plot": False, "error_table": "TotalMAE", "energy_key": "REF_energy", "forces_key": "REF_forces", "num_workers": 0,
    "E0s": "{1: -13.6, 6: -1029.3, 8: -2042.0}", "valid_fraction": 0.25, "save_cpu": True,
}  # fmt: skip
MOLECULES = ("H2O", "CH4", "CH3OH", "CO2", "H2CO")


@dataclass(frozen=True)
class Training:
    """What differs in one training.

    Attributes:
        settings: of upstream's trainer, by its names. heads: names; none: a model of one.
        charged: whether structures carry charges, on which their energy depends.
    """

    settings: dict[str, object]
    heads: tuple[str, ...] = ()
    charged: bool = False
    elements: tuple[str, ...] = ("H", "C", "O")


MODELS: dict[str, Training] = {
    "trained-heads": Training({"model": "ScaleShiftMACE", "default_dtype": "float64"}, heads=("tight", "loose")),
    "trained-charge": Training(
        {
            "model": "ScaleShiftMACE",
            "default_dtype": "float64",
            "use_embedding_readout": True,
            "embedding_specs": "{'total_charge': {'type': 'continuous', 'per': 'graph', 'in_dim': 1, 'emb_dim': 4}}",
        },
        charged=True,
    ),
    "trained-float32": Training({"model": "MACE", "default_dtype": "float32"}),
}


def labelled(count: int, seed: int, charged: bool = False) -> list[Atoms]:
    """Rattled molecules with Lennard-Jones energies and forces, to which a charge adds the square of itself."""
    random, found = np.random.default_rng(seed), []
    for number in range(count):
        atoms = molecule(MOLECULES[number % len(MOLECULES)])
        atoms.positions += random.normal(0.0, 0.05, atoms.positions.shape)
        atoms.calc = LennardJones(sigma=0.9, epsilon=0.3, rc=4.0)
        energy, forces = float(atoms.get_potential_energy()), atoms.get_forces()
        atoms.calc = None
        charge = int(random.integers(-1, 2)) if charged else 0
        alone = sum({"H": -13.6, "C": -1029.3, "O": -2042.0}[symbol] for symbol in atoms.symbols)
        atoms.info["REF_energy"] = energy + alone + 0.5 * charge**2
        atoms.info["total_charge"] = charge
        atoms.arrays["REF_forces"] = forces
        found.append(atoms)
    return found


def save(name: str, directory: Path) -> Path:
    """Train it in ``DIRECTORY/train``; its file, as the trainer wrote it.

    Raises:
        RuntimeError: the trainer failed; the end of what it said.
    """
    training, home = MODELS[name], directory / "train"
    home.mkdir(parents=True)
    settings: dict[str, object] = {**SMALL, **training.settings, "name": name, "work_dir": str(home), "model_dir": str(home)}
    sets: Sequence[str] = training.heads or ("train",)
    for number, label in enumerate(sets):
        write(home / f"{label}.xyz", labelled(16, number, training.charged), format="extxyz")
    if training.heads:
        settings["heads"] = {label: {"train_file": str(home / f"{label}.xyz"), "E0s": settings["E0s"]} for label in training.heads}
    else:
        settings["train_file"] = str(home / "train.xyz")
    config = home / "config.yaml"
    with config.open("w") as file:
        ruamel.yaml.YAML(typ="safe", pure=True).dump(settings, file)
    words = [sys.executable, "-m", "mace.cli.run_train", "--config", str(config)]
    done = subprocess.run(words, cwd=home, env={**os.environ, "OMP_NUM_THREADS": "1"}, capture_output=True, text=True, check=False)
    path = home / f"{name}.model"
    if done.returncode or not path.is_file():
        raise RuntimeError(f"upstream's trainer ended with status {done.returncode}: {(done.stdout + done.stderr)[-600:]}")
    return path.replace(directory / path.name)
