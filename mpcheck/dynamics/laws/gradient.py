"""Are forces the gradient of the energy, and are coordinates resolved, where the runs have been?

Along a straight line the forces' work is what the energy loses. A rounding error is a random one, which is known by how much forces and energies
jump from place to place beyond what float64's do; a force that is no gradient does work beside it.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from ase import Atoms

from mpcheck.dynamics.laws.law import Law
from mpcheck.dynamics.trajectory import Floats

POINTS = 5
"""Of Gauss and Legendre: exact to the tenth order of the displacement."""
MOVED, JITTER = 0.03, 1e-3
"""Å, RMS of a coordinate along a line; and between two places whose roundings have nothing in common."""
NOISES, LEAST = 5.0, 1e-6
"""Standard deviations of rounding, and share of the work, that the work may be off by. A hundredth of curl is ten thousand times the latter."""
FAINT = 1e-3
"""Share of the work: rounding beyond it, and nothing can be told of a force that is no gradient."""
UNRESOLVED = 3.0
"""Times the rounding of a force. Two places differ by its square root of two; sound formats by 0.2 to 1.9, linear-bf16 at 10,000 Å by 3.2."""


@dataclass(frozen=True)
class Noise:
    """What rounding does to an energy, eV, and to a component of a force, eV/Å; and the policy's whole force error, RMS."""

    energy: float
    force: float
    whole: float


def evaluated(atoms: Atoms, calculator: Any, positions: Floats) -> tuple[float, Floats]:
    """Energy eV and forces [atoms, 3] eV/Å at a place.

    Raises:
        BaseException: whatever the model raises.
    """
    moved = atoms.copy()
    moved.set_constraint()
    moved.positions = positions
    moved.calc = calculator
    return float(moved.get_potential_energy()), np.asarray(moved.get_forces(), dtype=np.float64)


def noise(frames: Sequence[Atoms], calculator: Any, exact: Any, seed: int) -> Noise:
    """Of a policy's calculator beside float64's, at frames of a run."""
    random = np.random.Generator(np.random.PCG64([seed, 3]))
    energies, forces, whole, seen = [], [], [], list[float]()
    for atoms in frames:
        other = atoms.positions + JITTER * random.standard_normal(atoms.positions.shape)
        there = [(evaluated(atoms, c, atoms.positions), evaluated(atoms, c, other)) for c in (calculator, exact)]
        (one, two), (exact_one, exact_two) = there
        energies.append(((two[0] - one[0]) - (exact_two[0] - exact_one[0])) ** 2 / 2)
        forces.append(((two[1] - one[1]) - (exact_two[1] - exact_one[1])) ** 2 / 2)
        whole.append((one[1] - exact_one[1]) ** 2)
        seen += [one[0], two[0]]
    of_energy = math.hypot(math.sqrt(float(np.mean(energies))), grain(seen))  # steps of a coarse energy are longer than the jitter's change
    return Noise(of_energy, math.sqrt(float(np.mean(forces))), math.sqrt(float(np.mean(whole))))


def grain(values: Sequence[float]) -> float:
    """The largest power of two that all values are multiples of: the step of a type that holds no more digits. 0 of nothing but zeros, or of values
    that are no numbers.
    """
    finite = [abs(v) for v in values if v and math.isfinite(v)]
    steps = [math.ldexp(1.0, math.frexp(v)[1] - 53) * ((n := int(math.ldexp(math.frexp(v)[0], 53))) & -n) for v in finite]
    return min(steps, default=0.0)


def gradient(frames: Sequence[Atoms], calculator: Any, rounding: Noise, seed: int) -> Law:
    """Whether work and loss of energy agree, over lines from frames of a run in random directions."""
    places, weights = np.polynomial.legendre.leggauss(POINTS)
    random = np.random.Generator(np.random.PCG64([seed, 4]))
    off, done = [], []
    length = 0.0
    for atoms in frames:
        along = MOVED * random.standard_normal(atoms.positions.shape)
        start, end = (evaluated(atoms, calculator, atoms.positions + s * along)[0] for s in (0.0, 1.0))
        work = 0.5 * sum(
            w * float((evaluated(atoms, calculator, atoms.positions + 0.5 * (1 + x) * along)[1] * along).sum())
            for x, w in zip(places, weights, strict=True)
        )
        off.append(end - start + work)
        done.append(work)
        length = max(length, float(np.linalg.norm(along)))
    size = math.sqrt(float(np.mean(np.square(done))))
    measured = math.sqrt(float(np.mean(np.square(off)))) / size if size > 0 else math.inf
    chance = NOISES * math.hypot(math.sqrt(2) * rounding.energy, rounding.force * length / math.sqrt(2)) / (size or 1.0)
    name, unit = "forces are the gradient", "of the work"
    if chance > NOISES * FAINT * 10 and measured <= chance + LEAST:
        return Law(
            name, "cannot tell", unit, measured, 0.0, chance / NOISES, reason=f"energies and forces round by {chance / NOISES:.1g} of the work"
        )
    wrong = not measured <= chance + LEAST
    told = (
        f"forces do {measured:.2g} of their work beside what the energy loses, {chance + LEAST:.2g} at most: they are not its gradient"
        if wrong
        else ""
    )
    return Law(name, "broken" if wrong else "holds", unit, measured, 0.0, chance / NOISES, reason=told)


def resolved(atoms: Atoms, calculator: Any, rounding: Noise) -> Law:
    """Whether forces are what they are with the atoms near the origin: coordinates that are far from it lose digits in float32.

    Args:
        atoms: as a run left them, unwrapped.
    """
    name, unit = "coordinates are resolved", "eV/Å"
    near = atoms.copy()
    near.set_constraint()
    near.positions -= near.positions.mean(axis=0)
    if near.pbc.any():
        near.wrap()
    here = evaluated(near, calculator, near.positions)[1]
    there = evaluated(atoms, calculator, atoms.positions)[1]
    moved = math.sqrt(float(np.mean((there - here) ** 2)))
    allowed = UNRESOLVED * max(rounding.force, 1e-9 * math.sqrt(float(np.mean(here**2))))
    wrong = not moved <= allowed
    off = f"off by {moved:.2g} eV/Å, {allowed:.2g} at most" if math.isfinite(moved) else "no numbers"
    told = f"coordinates reach {float(np.abs(atoms.positions).max()):.4g} Å, and there forces are {off}; wrap or centre the atoms" if wrong else ""
    return Law(name, "broken" if wrong else "holds", unit, moved, 0.0, reason=told)
