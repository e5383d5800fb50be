"""ASE's integrators as a protocol wants them, and all that they hold between two steps, so that a run can be gone on with bit by bit."""

from __future__ import annotations

import json
import warnings
from collections.abc import Mapping
from typing import Any

import numpy as np
from ase import Atoms, units
from ase.constraints import FixCom
from ase.md.langevin import Langevin
from ase.md.nose_hoover_chain import IsotropicMTKNPT
from ase.md.verlet import VelocityVerlet

from mpcheck.dynamics.observables import thermal
from mpcheck.dynamics.protocols.protocol import Protocol

CHAINS = ("_q", "_p", "_eps", "_p_eps", "_volume0", "_cell0", "_thermostat._eta", "_thermostat._p_eta", "_barostat._xi", "_barostat._p_xi")
"""What ASE's isotropic MTK dynamics holds between two steps beside the atoms."""

State = dict[str, np.ndarray]


class Integrator:
    """An integrator on atoms, whose positions and momenta are float64 whatever their forces are computed in.

    Attributes:
        atoms: that it moves. dynamics: ASE's.
    """

    def __init__(self, atoms: Atoms, protocol: Protocol, seed: int) -> None:
        """Args:
        atoms: with a calculator and momenta. seed: of the thermostat's noise.
        """
        self.atoms, self.protocol = atoms, protocol
        self.random = np.random.Generator(np.random.PCG64(seed))
        with warnings.catch_warnings():  # of constraints that a format of files does not hold: nothing is written by ASE here
            warnings.simplefilter("ignore")
            self.dynamics = _made(atoms, protocol, self.random)

    def step(self, count: int) -> None:
        """So many steps.

        Raises:
            BaseException: whatever the calculator raises.
        """
        self.dynamics.run(count)

    @property
    def conserved(self) -> float:
        """The energy that exact dynamics conserves, eV: of NVE the total, of NPT the extended system's; NaN of Langevin, which has none."""
        if self.protocol.ensemble == "npt":
            return float(self.dynamics.get_conserved_energy())
        if self.protocol.ensemble == "nve":
            return float(self.atoms.get_potential_energy() + self.atoms.get_kinetic_energy())
        return float("nan")

    def state(self) -> State:
        """All that the next step depends on."""
        held = {"positions": self.atoms.positions.copy(), "momenta": self.atoms.get_momenta(), "cell": self.atoms.cell.array.copy()}
        if self.protocol.ensemble == "npt":
            held |= {name: np.array(_owner(self.dynamics, name)[1], dtype=np.float64) for name in CHAINS}
        held["random"] = np.frombuffer(json.dumps(self.random.bit_generator.state, sort_keys=True).encode(), np.uint8).copy()
        return held

    def restore(self, state: Mapping[str, np.ndarray]) -> None:
        """Go on from where a run was when ``state`` was taken.

        Raises:
            KeyError: the state of another ensemble.
        """
        held = {name: np.array(state[name]) for name in ("positions", "momenta", "cell")}
        self.atoms.set_cell(held["cell"], scale_atoms=False)
        self.atoms.set_positions(held["positions"], apply_constraint=False)
        self.atoms.set_momenta(held["momenta"], apply_constraint=False)
        if self.protocol.ensemble == "npt":
            for name in CHAINS:
                owner, before = _owner(self.dynamics, name)
                value = np.array(state[name])
                setattr(owner, name.rpartition(".")[2], value if isinstance(before, np.ndarray) else float(value))
        self.random.bit_generator.state = json.loads(bytes(state["random"]).decode())


def _owner(dynamics: Any, name: str) -> tuple[Any, Any]:
    """Who holds an attribute, and what it is now."""
    path, _, leaf = name.rpartition(".")
    owner = getattr(dynamics, path) if path else dynamics
    return owner, getattr(owner, leaf)


def _made(atoms: Atoms, protocol: Protocol, random: np.random.Generator) -> Any:
    step = protocol.timestep_fs * units.fs
    if protocol.ensemble == "nve":
        return VelocityVerlet(atoms, step)
    if protocol.ensemble == "langevin":
        atoms.set_constraint(FixCom())  # ASE's own fixcm does not sample the ensemble
        friction = (protocol.friction_per_fs or 0.0) / units.fs
        return Langevin(atoms, step, temperature_K=protocol.temperature_K, friction=friction, fixcm=False, rng=random)
    return IsotropicMTKNPT(
        atoms, step, temperature_K=protocol.temperature_K, pressure_au=(protocol.pressure_bar or 0.0) * units.bar,
        tdamp=(protocol.thermostat_fs or 0.0) * units.fs, pdamp=(protocol.barostat_fs or 0.0) * units.fs,
    )  # fmt: skip


def degrees_of_freedom(atoms: Atoms, protocol: Protocol) -> int:
    """Of the motion whose kinetic energy the temperature is taken from.

    The centre of mass is at rest; what has no periodicity does not turn in NVE either. ASE's chains of NPT hold the kinetic energy of three
    degrees of freedom for every atom at the temperature, though the centre of mass is at rest.
    """
    count = len(atoms)
    turning = protocol.ensemble == "nve" and not atoms.pbc.any()
    return thermal.degrees_of_freedom(count, momentum_at_rest=protocol.ensemble != "npt" and count > 1, rotation_at_rest=turning)
