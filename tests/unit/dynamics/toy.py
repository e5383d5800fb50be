"""A liquid of Lennard-Jones atoms that costs nothing, and what can be wrong with its forces."""

from __future__ import annotations

from typing import Any, ClassVar

import numpy as np
from ase import Atoms
from ase.build import bulk
from ase.calculators.calculator import Calculator, all_changes
from ase.md.velocitydistribution import Stationary

from mpcheck.dynamics.protocols.protocol import Protocol
from mpcheck.dynamics.protocols.start import thermalised

EPSILON, SIGMA, CUT = 0.0104, 3.4, 5.0  # argon, eV and Å


class Argon(Calculator):
    """Shifted-force Lennard-Jones, minimum images, with stress.

    Args:
        curl: share of the largest force that turns round instead of pointing down. narrow: type that positions are rounded to first.
        calls: how often it has computed.
    """

    implemented_properties: ClassVar[list[str]] = ["energy", "forces", "stress", "free_energy"]

    def __init__(self, curl: float = 0.0, narrow: type | None = None, breaks_after: int | None = None) -> None:
        super().__init__()
        self.curl, self.narrow, self.breaks_after, self.calls = curl, narrow, breaks_after, 0

    def calculate(self, atoms: Any = None, properties: Any = ("energy",), system_changes: Any = all_changes) -> None:
        super().calculate(atoms, properties, system_changes)
        self.calls += 1
        if self.breaks_after is not None and self.calls > self.breaks_after:
            raise KeyboardInterrupt
        positions = self.atoms.positions if self.narrow is None else self.atoms.positions.astype(self.narrow).astype(float)
        vectors = positions[:, None] - positions[None]
        if self.atoms.pbc.all():
            box = np.diag(self.atoms.cell.array)
            vectors -= box * np.rint(vectors / box)
        distance = np.sqrt((vectors**2).sum(-1)) + np.eye(len(positions)) * 1e9
        inside = distance < CUT
        ratio = np.where(inside, (SIGMA / distance) ** 6, 0.0)
        edge = (SIGMA / CUT) ** 6
        slope, value = -24 * EPSILON * (2 * edge**2 - edge) / CUT, 4 * EPSILON * (edge**2 - edge)
        pair = np.where(inside, 4 * EPSILON * (ratio**2 - ratio) - value - slope * (distance - CUT), 0.0)
        pull = np.where(inside, 24 * EPSILON * (2 * ratio**2 - ratio) / distance + slope, 0.0)
        forces = (pull[..., None] * vectors / distance[..., None]).sum(1)
        if self.curl:
            centred = positions - positions.mean(axis=0)
            forces += self.curl * np.sqrt((forces**2).mean()) * np.cross([0.0, 0.0, 1.0], centred) / np.sqrt((centred**2).mean())
        virial = 0.5 * np.einsum("ij,ijk,ijl->kl", pull / distance, vectors, vectors)
        stress = -virial / self.atoms.get_volume() if self.atoms.pbc.all() else np.zeros((3, 3))
        self.results = {
            "energy": 0.5 * pair.sum(), "forces": forces, "stress": stress[[0, 1, 2, 1, 0, 0], [0, 1, 2, 2, 2, 1]], "free_energy": 0.5 * pair.sum(),
        }  # fmt: skip


def liquid(seed: int = 0, temperature: float = 100.0, **wrong: Any) -> Atoms:
    """Thirty-two atoms in a box, moving, the centre of mass at rest."""
    atoms = bulk("Ar", "fcc", a=5.6, cubic=True).repeat((2, 2, 2))
    random = np.random.default_rng(seed)
    atoms.positions += 0.1 * random.standard_normal(atoms.positions.shape)
    thermalised(atoms, temperature, random)
    Stationary(atoms, preserve_temperature=False)
    atoms.calc = Argon(**wrong)
    return atoms


def protocol(ensemble: str, **changes: Any) -> Protocol:
    """One for it."""
    own = {
        "nve": {}, "langevin": {"friction_per_fs": 0.01}, "npt": {"pressure_bar": 100.0, "thermostat_fs": 100.0, "barostat_fs": 500.0},
    }[ensemble]  # fmt: skip
    usual = {
        "name": "toy", "title": "toy", "ensemble": ensemble, "timestep_fs": 4.0, "temperature_K": 100.0, "equilibration_ps": 0.4, "length_ps": 0.8,
        "long_ps": 4.0, "sample_fs": 4.0, "frame_fs": 20.0, "margins": {"temperature_K": {"relative": 0.01}},
    }  # fmt: skip
    return Protocol.model_validate({**usual, **own, **changes})
