"""Where runs start: a structure relaxed and equilibrated in float64, one for each seed, the same for every policy.

The built-in structures are rattled so that no force vanishes; dynamics from them would run at 2,000 K and say nothing of anybody's.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from ase import Atoms
from ase.md import velocitydistribution
from ase.md.velocitydistribution import Stationary, ZeroRotation
from ase.optimize import FIRE

from mpcheck._files.locks import locked
from mpcheck.dynamics.protocols import chunks
from mpcheck.dynamics.protocols.chunks import Chunk
from mpcheck.dynamics.protocols.forces import warmed
from mpcheck.dynamics.protocols.integrators import Integrator
from mpcheck.dynamics.protocols.protocol import Protocol
from mpcheck.dynamics.protocols.running import explosion

RELAXED, MOST_RELAXING = 0.1, 200
"""eV/Å, largest force of a structure that is called relaxed, and steps until it is taken as it is: equilibration does the rest."""
FRICTION = 0.05
"""1/fs, of equilibration: stronger than any protocol's, so that what relaxation has left is gone in a few hundred femtoseconds."""


class StartError(Exception):
    """Nothing can be run from a structure: float64 itself does not hold it. The message says what to do."""


@dataclass(frozen=True)
class Start:
    """Where runs of one seed start.

    Attributes:
        atoms: with momenta, no calculator. note: how it was made.
    """

    atoms: Atoms
    note: str


def relaxed(atoms: Atoms, progress: Callable[[str], None]) -> Atoms:
    """A copy without large forces; ``atoms`` has a float64 calculator.

    Raises:
        StartError: relaxation runs away from numbers.
    """
    moved = atoms.copy()
    moved.calc = atoms.calc
    warmed(moved)
    progress("relaxing the structure")
    with FIRE(moved, logfile=None) as optimiser:
        optimiser.run(fmax=RELAXED, steps=MOST_RELAXING)
    if not np.isfinite(moved.get_forces()).all():
        raise StartError("the structure has no finite forces once it is relaxed in float64; give another with --system")
    return moved


def equilibrated(atoms: Atoms, protocol: Protocol, seed: int, progress: Callable[[str], None]) -> Start:
    """Velocities of the temperature, then Langevin dynamics; the centre of mass is at rest and, without periodicity, nothing turns.

    Args:
        atoms: relaxed, with a float64 calculator.

    Raises:
        StartError: it explodes, so that nothing can be compared from there.
    """
    moved = atoms.copy()
    moved.calc = atoms.calc
    random = np.random.Generator(np.random.PCG64([seed, 1]))
    thermalised(moved, protocol.temperature_K, random)
    _still(moved)
    steps, done = protocol.steps_of(protocol.equilibration_ps), 0
    plain = replace_ensemble(protocol)
    integrator = Integrator(moved, plain, seed=int(random.integers(1 << 62)))
    while done < steps:
        count = min(50, steps - done)
        integrator.step(count)
        done += count
        progress(f"equilibrating in float64, seed {seed}: {done} of {steps} steps")
        if why := explosion(moved, protocol):
            raise StartError(
                f"equilibration in float64 explodes after {done * protocol.timestep_fs:g} fs: {why}; the model does not hold this structure at "
                f"{protocol.temperature_K:g} K and {protocol.timestep_fs:g} fs: give another structure, a shorter time step or a lower temperature"
            )
    moved.set_constraint()
    _still(moved)
    moved.calc = None
    ran = f"{protocol.equilibration_ps:g} ps of Langevin dynamics in float64 at {protocol.temperature_K:g} K"
    return Start(moved, f"relaxed below {RELAXED:g} eV/Å or for {MOST_RELAXING} steps, then {ran}")


def thermalised(atoms: Atoms, temperature: float, random: np.random.Generator | np.random.RandomState) -> None:
    """Give atoms momenta of a temperature in K, by Maxwell and Boltzmann."""
    draw = getattr(velocitydistribution, "thermalize_momenta", None)  # as ASE calls it since 3.29
    if draw is not None:
        draw(atoms, temperature_K=temperature, rng=random)
    else:
        velocitydistribution.MaxwellBoltzmannDistribution(atoms, temperature_K=temperature, rng=random)


def _still(atoms: Atoms) -> None:
    Stationary(atoms, preserve_temperature=False)
    if not atoms.pbc.any():
        ZeroRotation(atoms, preserve_temperature=False)


def replace_ensemble(protocol: Protocol) -> Protocol:
    """The protocol that equilibrates for another one."""
    changes = {"ensemble": "langevin", "friction_per_fs": FRICTION, "pressure_bar": None, "thermostat_fs": None, "barostat_fs": None}
    return protocol.model_copy(update=changes)


def kept(folder: Path, name: str, template: Atoms, about: dict[str, object], make: Callable[[], Start]) -> Start:
    """A start, made once for all processes that ask for it.

    Args:
        template: same atoms in the same order. about: what it depends on; another start of the name is replaced.

    Raises:
        StartError: see :func:`equilibrated`. InputError: the place cannot be written.
    """
    place = folder / name
    with locked(folder / f".{name}.lock", "the start of runs"):
        found = chunks.read(place)
        if found and dict(found[0].about) == about:
            atoms = template.copy()
            state = found[0].state
            atoms.set_cell(state["cell"], scale_atoms=False)
            atoms.set_positions(state["positions"], apply_constraint=False)
            atoms.set_momenta(state["momenta"], apply_constraint=False)
            return Start(atoms, str(found[0].ended))
        start = make()
        state = {"positions": start.atoms.positions, "momenta": start.atoms.get_momenta(), "cell": start.atoms.cell.array}
        chunks.write(place, 0, Chunk({}, {}, state, about, 0, 0.0, ended=start.note))
        return start
