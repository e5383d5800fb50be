"""Whether a variant computes what the model that it was made from computes: the difference of two roundings of one policy, no more.

A compiler may give a right answer for one size and a wrong one for the next: pytorch issue 178871 adds a constant to the energy where the
number of atoms is odd, and leaves the forces right. So structures of both parities are compared, and energies apart from forces.
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import torch
from ase import Atoms

from mpcheck.policy.evaluation import Evaluation, evaluate
from mpcheck.reference.deviation import deviation, disturbed
from mpcheck.reference.noise import seed_of
from mpcheck.reference.whole_noise import ROUNDOFF

SIGMAS = 6.0
"""Standard deviations of a difference: a normal deviate exceeds them twice in 10⁹."""
DRAWS = 4


@dataclass(frozen=True)
class Noise:
    """What rounding does to a model, at u = 1.

    Attributes:
        energy: standard deviation of a structure's energy, eV, over the square root of its number of atoms. forces: largest RMS of a
            component, eV/Å.
    """

    energy: float
    forces: float


def rounding(model: torch.nn.Module, graph: Mapping[str, torch.Tensor], seed: int = 0, draws: int = DRAWS) -> Noise:
    """Monte Carlo arithmetic over every operation of one energy-and-force call.

    Args:
        model: upstream's, in float64 on the CPU.
    """

    def values() -> dict[str, torch.Tensor]:
        got = evaluate(model, graph)
        return {"energy": got.energy, "forces": got.forces}

    atoms = evaluate(model, graph).atoms
    scale = deviation(disturbed(values), values(), [seed_of(seed, "agreement", draw) for draw in range(draws)])
    pooled = float((scale["energy"].square() / atoms).mean().sqrt())
    return Noise(pooled / ROUNDOFF, float(scale["forces"].max()) / ROUNDOFF)


def both_parities(frame: Atoms) -> list[Atoms]:
    """A structure and, where there is more than one atom, the same without its last: an odd and an even number of them."""
    return [frame, frame[:-1]] if len(frame) > 1 else [frame]


def disagreements(plain: Evaluation, variant: Evaluation, noise: Noise, roundoff: float) -> list[str]:
    """What differs beyond rounding, in words; none where the variant agrees.

    Args:
        plain, variant: of the same structures. roundoff: unit of the coarsest format that the policy computes in.
    """
    told: list[str] = []
    factor = SIGMAS * math.sqrt(2) * roundoff
    for place, (atoms, difference) in enumerate(zip(plain.atoms.tolist(), (variant.energy - plain.energy).tolist(), strict=True)):
        allowed = factor * noise.energy * math.sqrt(atoms)
        if not abs(difference) <= allowed:  # also where it is NaN
            parity = "odd" if atoms % 2 else "even"
            told.append(f"energy of structure {place} ({atoms} atoms, an {parity} number) differs by {difference:.3g} eV, {allowed:.2g} eV allowed")
    largest = float((variant.forces - plain.forces).abs().max()) if len(plain.forces) else 0.0
    if not largest <= factor * noise.forces:
        told.append(f"a force differs by {largest:.3g} eV/Å, {factor * noise.forces:.2g} eV/Å allowed")
    return told


def compared(
    plain: torch.nn.Module,
    variant: torch.nn.Module,
    graphs: Sequence[Mapping[str, torch.Tensor]],
    noise: Noise,
    roundoff: float,
    device: torch.device,
) -> list[str]:
    """:func:`disagreements` over several graphs, each of one structure or more.

    Raises:
        BaseException: whatever a model raises.
    """
    return [line for graph in graphs for line in disagreements(evaluate(plain, graph, device), evaluate(variant, graph, device), noise, roundoff)]
