"""The error of any policy, from a model's sensitivities, before anything runs.

What rounds at random adds up in quadrature, block by block and part by part, each with the roundoff of its format; what is known of stored numbers
is added with its sign. Everything is of first order in the roundoff: errors that are not small beside the values are predicted as large, and no
more.

An energy is one number for a structure, and what equal atoms have in common is rounded alike in all structures: quadrature knows the size of such
an error, which scatters like one normal deviate. :func:`emulated` knows it, for one call: all blocks in fewer bits than float32's round together
in float64, by the policy and without its kernels.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace

import torch

from mpcheck.policy.assignment import assigned
from mpcheck.policy.noise.calls import NODES, Calls, Response
from mpcheck.policy.noise.sensitivity import WEIGHTS, Sensitivity
from mpcheck.policy.noise.shares import ENERGIES, Share, format_of, shares, spread
from mpcheck.policy.rules import BlockFormat, Policy

MEV = 1e3


@dataclass(frozen=True)
class Prediction:
    """Errors that a policy will have.

    Attributes:
        energy: RMS error of each structure's energy per atom [structures], meV/atom: of the total, with energies of isolated atoms as the policy sums
            them. interaction: the same without those. forces: RMS error of each component [atoms, 3], meV/Å. stress: [structures, 3, 3], meV/Å³.
        reference: RMS force of the model, meV/Å. overflowing: subjects that hold values beyond the largest number of their format, which make all
            errors infinite. shares: by subject. known: of the error of each structure's energy the part that is emulated, with its sign, meV. atoms:
            of each structure.
    """

    energy: torch.Tensor
    interaction: torch.Tensor
    forces: torch.Tensor
    stress: torch.Tensor
    reference: float
    overflowing: tuple[str, ...]
    shares: dict[str, Share]
    known: torch.Tensor
    atoms: torch.Tensor

    @property
    def chance_rms(self) -> float:
        """Of the energy's error what is drawn and not emulated, over structures, meV/atom."""
        there = self.energy.isfinite()
        return rms((self.energy.square() - (self.known / self.atoms).square()).clamp(min=0.0).sqrt()[there])

    @property
    def known_rms(self) -> float:
        """Of what is emulated of each structure's energy, meV."""
        return rms(self.known)

    @property
    def energy_rms(self) -> float:
        """Over structures, meV/atom."""
        return rms(self.energy)

    @property
    def interaction_rms(self) -> float:
        """Over structures, meV/atom; NaN where none has one."""
        return rms(self.interaction[~self.interaction.isnan()])

    @property
    def force_rms(self) -> float:
        """Over all components, meV/Å."""
        return rms(self.forces)

    @property
    def force_relative(self) -> float:
        """As a part of the RMS force; NaN where there is none."""
        return self.force_rms / self.reference if self.reference > 0 else float("nan")

    @property
    def stress_rms(self) -> float:
        """Over all components of structures that have one, meV/Å³; NaN where none has."""
        return rms(self.stress[~self.stress.isnan()])


def predicted(sensitivity: Sensitivity, policy: Policy, formats: Mapping[str, BlockFormat], device: str = "cpu") -> Prediction:
    """The error of a policy on the structures of the sensitivities and others like them, in quadrature.

    Args:
        formats: of its leaves, by :func:`mpcheck.policy.assignment.assigned`. device: type whose kernels' sums are meant.
    """
    own = shares(sensitivity, policy, formats, device)
    squares = _total(sensitivity, (side for s in own.values() for side in (s.random, s.coarse)))
    known = _total(sensitivity, (s.known for s in own.values()))
    squares = {n: v + known[n].square() for n, v in squares.items()}
    for name in ENERGIES:
        squares[name] = squares[name] + spread(known[NODES], sensitivity)
    return _prediction(sensitivity, policy, formats, own, squares, sensitivity.batch)


def emulated(calls: Calls, sensitivity: Sensitivity, policy: Policy, device: str = "cpu") -> Prediction:
    """The error of a policy on given structures: what rounds to fewer than float32's bits emulated, what float32 adds to it in quadrature.

    Args:
        calls: of the model on any structures. sensitivity: of the model on structures like them.

    Raises:
        InputError: a rule that names no block. BaseException: whatever the model raises.
    """
    formats = assigned(policy, calls.blocks)
    own = shares(sensitivity, policy, formats, device)
    random = _total(sensitivity, (s.random for s in own.values()))
    if WEIGHTS in own:
        random = {n: v + own[WEIGHTS].known[n].square() for n, v in random.items()}
    moved, batch = calls.emulated(policy, formats), calls.graph["batch"].cpu()
    lost = {n: v.isnan() & ~calls.plain[n].isnan() for n, v in moved.items()}  # infinity less infinity, on the way
    squares = {n: torch.where(lost[n], torch.inf, v).square() for n, v in moved.items() if n != NODES}
    atoms = torch.bincount(batch, minlength=len(moved["energy"]))
    for name in squares:
        each = random[name] / torch.bincount(sensitivity.batch, minlength=len(random[name])) if name in ENERGIES else random[name]
        squares[name] = squares[name] + _mean(each) * (atoms if name in ENERGIES else 1.0)
    return replace(_prediction(sensitivity, policy, formats, own, squares, batch), known=(moved["energy"] * MEV).nan_to_num(0.0, 0.0, 0.0))


def joined(parts: Sequence[Prediction]) -> Prediction:
    """Predictions for batches of structures, as one for all of them; at least one."""
    first = parts[0]
    over = tuple(dict.fromkeys(name for part in parts for name in part.overflowing))
    energy, interaction = torch.cat([p.energy for p in parts]), torch.cat([p.interaction for p in parts])
    forces, stress = torch.cat([p.forces for p in parts]), torch.cat([p.stress for p in parts])
    known, atoms = torch.cat([p.known for p in parts]), torch.cat([p.atoms for p in parts])
    return replace(first, overflowing=over, energy=energy, interaction=interaction, forces=forces, stress=stress, known=known, atoms=atoms)


def _prediction(
    sensitivity: Sensitivity,
    policy: Policy,
    formats: Mapping[str, BlockFormat],
    own: dict[str, Share],
    squares: Response,
    batch: torch.Tensor,
) -> Prediction:
    overflowing = tuple(
        s.name
        for s in sensitivity.subjects.values()
        if (s.peak_apart if policy.energies == "apart" else s.peak) > format_of(policy, formats.get(s.name, policy.default()), s).largest
    )
    errors = {n: (torch.full_like(v, torch.inf) if overflowing else v.sqrt() * MEV) for n, v in squares.items()}
    atoms = torch.bincount(batch, minlength=len(errors["energy"]))
    reference = rms(sensitivity.values["forces"]) * MEV
    forces, stress, nothing = errors["forces"], errors["stress"], torch.zeros_like(errors["energy"])
    return Prediction(errors["energy"] / atoms, errors["interaction"] / atoms, forces, stress, reference, overflowing, own, nothing, atoms)


def _total(sensitivity: Sensitivity, sides: Iterable[Response]) -> Response:
    found = {n: torch.zeros_like(v) for n, v in sensitivity.values.items()}
    for side in sides:
        found |= {n: found[n] + v for n, v in side.items()}
    return found


def _mean(values: torch.Tensor) -> float:
    """Of what there is."""
    there = values[~values.isnan()]
    return float(there.mean()) if there.numel() else 0.0


def rms(values: torch.Tensor) -> float:
    """Root mean square; NaN of nothing."""
    return float(values.square().mean().sqrt()) if values.numel() else float("nan")
